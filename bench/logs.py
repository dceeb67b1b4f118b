"""A log of 200 MB: lines written as fast as the engine takes them, and read back whole."""

import os
import shutil
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from engines import IMAGE, Engine

MEGABYTES = 200
_NAME = "bench-logs"
_LINE = (
    b"2026-01-02 03:04:05,678 INFO some.module: one of two million lines that say nothing much\n"
)
_KEEP_ALL = {  # with which nothing is rotated away, and podman writes a file and no journal
    "knarr": ("--log-opt", "max-size=1g"),
    "podman": ("--log-driver", "k8s-file"),
}


def contests(found: Sequence[Engine], folder: Path) -> dict[str, dict[str, Callable[[], float]]]:
    """What is measured, by whom; seconds. Each reads what it wrote before."""
    lines = folder / "lines"
    lines.write_bytes(_LINE * (MEGABYTES * 1_000_000 // len(_LINE)))
    size_bytes = lines.stat().st_size

    def write(each: Engine) -> float:
        clear([each])
        keep_all = _KEEP_ALL.get(each.name, ())
        words = ["--network", "none", "-v", f"{lines}:/lines:ro", *keep_all, IMAGE, "cat", "/lines"]
        before = time.perf_counter()
        each.run("run", "-d", "--name", _NAME, *words)
        each.run("wait", _NAME)
        return time.perf_counter() - before

    def read(cli: Sequence[str], environ: Mapping[str, str]) -> float:
        output = folder / "output"
        with output.open("wb") as file:
            before = time.perf_counter()
            subprocess.run(
                [*cli, "logs", _NAME], env={**os.environ, **environ}, stdout=file, check=True
            )
            took = time.perf_counter() - before
        if output.stat().st_size != size_bytes:
            raise RuntimeError(f"{cli}: {output.stat().st_size} of {size_bytes} bytes came back")
        return took

    reading = {
        each.name: lambda each=each: read(each.cli, each.environ) for each in found
    }  # fmt: skip
    if shutil.which("docker"):
        environ = {"DOCKER_HOST": f"unix://{found[0].socket}"}
        reading[f"{found[0].name} by docker's CLI"] = lambda: read(["docker"], environ)
    return {
        f"{MEGABYTES} MB of log written": {
            each.name: lambda each=each: write(each) for each in found
        },
        f"{MEGABYTES} MB of log read": reading,
    }  # fmt: skip


def clear(found: Sequence[Engine]) -> None:
    for each in found:
        each.run(*each.rm, _NAME, check=False)
