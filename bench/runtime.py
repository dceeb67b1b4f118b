"""What the keeper adds to a bare OCI runtime: time and memory, as ratios, in one run.

    python bench/runtime.py [--rounds 40] [--containers 100]

Needs root, busybox and an OCI runtime that works; the package on the path. Bare and kept runs take
turns, so that a busy machine is busy for both.
"""

import argparse
import asyncio
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parents[1] / "tests"), str(Path(__file__).parents[1] / "src")]

from knarr.kernel.cgroups import Layout  # noqa: E402
from knarr.runtime import Keeper, OciRuntime, probe  # noqa: E402
from knarr.runtime.bundle import write_bundle  # noqa: E402
from support.boxes import Boxes, make_rootfs  # noqa: E402


def bare(runtime: OciRuntime, folder: Path, boxes: Boxes) -> Callable[[], float]:
    """Time one ``run`` of the runtime by itself, with whatever makes it work here.

    Where a mount has to be hidden from it, this process has left for a namespace without it.
    """
    write_bundle(folder, boxes.spec("true"), replace(runtime, enters=True))
    options = ("--cgroup-manager=disabled",) if runtime.enters else ()
    argv = [runtime.program, "--root", str(folder / "state"), *options, "run", "--bundle"]
    argv += [str(folder), f"bare-{os.getpid()}"]

    def once() -> float:
        before = time.perf_counter()
        subprocess.run(argv, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        return time.perf_counter() - before

    return once


def enter_namespace_without(hidden: tuple[str, str]) -> None:
    """This process, from now on, without the mount: what the keeper does for each start."""
    from knarr.kernel.namespaces import hide_mount

    hide_mount(*hidden)


async def kept(boxes: Boxes) -> float:
    launch = boxes.launch(boxes.spec("true"))
    before = time.perf_counter()
    await boxes.keeper.start(launch)
    await boxes.exit_of(launch.id)
    return time.perf_counter() - before


async def execed(boxes: Boxes, container_id: str) -> float:
    launch = boxes.exec(container_id, "true")
    before = time.perf_counter()
    await boxes.keeper.exec(launch)
    await boxes.exit_of(container_id, launch.exec_id)
    return time.perf_counter() - before


def pss_mib(pid: int) -> float:
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) / 1024
    raise RuntimeError("no Pss")


def milliseconds(seconds: list[float]) -> str:
    return f"{statistics.median(seconds) * 1e3:6.2f} ms (fastest {min(seconds) * 1e3:.2f})"


def remove_groups(path: str) -> None:
    """The group that all containers of this run had theirs in; empty once the keeper has ended."""
    for _ in range(200):
        if Layout.of_this_machine().cgroup(path).remove():
            return
        time.sleep(0.01)
    raise RuntimeError(f"processes are left in {path}")


async def measure(rounds: int, containers: int, folder: Path) -> None:
    keeper = Keeper(folder / "run")
    await keeper.ensure()
    runtimes = await probe(keeper, folder / "run")
    runtime = runtimes.default
    boxes = Boxes(keeper, runtime, make_rootfs(folder / "rootfs"), folder / "logs")
    if runtime.hidden:
        enter_namespace_without(runtime.hidden)
    run_bare = bare(runtime, folder / "bundle", boxes)
    sleeping = await boxes.start("sleep", "1000")
    times: dict[str, list[float]] = {"bare": [], "kept": [], "exec": []}
    for _ in range(rounds):
        times["bare"].append(await asyncio.to_thread(run_bare))
        times["kept"].append(await kept(boxes))
        times["exec"].append(await execed(boxes, sleeping.id))
    print(f"{runtime.name} run true, bare       {milliseconds(times['bare'])}")
    print(f"the same by the keeper   {milliseconds(times['kept'])}")
    print(f"exec true by the keeper  {milliseconds(times['exec'])}")
    ratio = statistics.median(times["kept"]) / statistics.median(times["bare"])
    print(f"kept to bare: {ratio:.2f} times")
    idle = pss_mib(keeper.pid)
    before = time.perf_counter()
    await asyncio.gather(*(boxes.start("sleep", "1000") for _ in range(containers)))
    taken = time.perf_counter() - before
    full = pss_mib(keeper.pid)
    print(f"{containers} containers started at once in {taken:.2f} s")
    print(f"keeper with 1 container {idle:.2f} MiB, with {containers + 1} {full:.2f} MiB:", end=" ")
    print(f"{(full - idle) / containers * 1024:.1f} KiB each")
    await boxes.close()
    remove_groups(boxes.parent)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=40)
    parser.add_argument("--containers", type=int, default=100)
    arguments = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="knarr-bench-"))
    try:
        asyncio.run(measure(arguments.rounds, arguments.containers, folder))
    finally:
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
