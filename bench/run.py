"""Measure knarr against Docker, podman and a bare OCI runtime, in one run, as ratios.

    python bench/run.py [--rounds 10] [--many 100] [--minutes 20] [--json FILE] [SECTION ...]

Sections: run exec many idle cli logs network build images compose. Engines take turns in each
round, so that a busy machine is busy for all of them; the first round is not counted. Quoted are
medians and their ratios to knarr.
"""

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import builds
import logs
import network
from composing import compose
from engines import IMAGE, Api, BareRuntime, Engine, engines
from images import images
from turns import Measure, Table, take_turns, timed

_DISK_BYTES = 24 << 30


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--many", type=int, default=100, help="containers of the section `many`")
    parser.add_argument(
        "--minutes",
        type=float,
        default=20,
        help="section build: no round begins that would end later (default 20)",
    )
    parser.add_argument(
        "--realtime", action="store_true", help="section images: all else on the machine waits"
    )
    parser.add_argument("--json", type=Path)
    parser.add_argument("sections", nargs="*", choices=[*SECTIONS, []], metavar="SECTION")
    options = parser.parse_args()
    if os.geteuid() != 0:
        print("bench: engines need root", file=sys.stderr)
        return 1
    table: Table = {}
    with _disk() as folder:
        options.folder = folder
        bare = BareRuntime(folder / "bare")
        with engines(folder) as found:
            for section in options.sections or SECTIONS:
                print(f"… {section}", file=sys.stderr, flush=True)
                try:
                    SECTIONS[section](table, found, bare, options)
                finally:  # what was measured until then, whatever ended it
                    if options.json:
                        options.json.write_text(json.dumps(table, indent=1))
    show(table)
    return 0


@contextmanager
def _disk() -> Iterator[Path]:
    """A file system of our own, ext4 with a journal, as most people's disks have it.

    Without a journal ext4 does not use the inodes of deleted files again for minutes, and searches
    long for others: then an engine that deletes many files slows down whoever comes next.
    """
    with tempfile.TemporaryDirectory(prefix="knarr-bench-", ignore_cleanup_errors=True) as name:
        disk, folder = Path(name) / "disk", Path(name) / "mounted"
        with disk.open("wb") as file:
            file.truncate(_DISK_BYTES)
        folder.mkdir()
        subprocess.run(["mkfs.ext4", "-q", "-F", "-O", "has_journal", disk], check=True)
        subprocess.run(["mount", "-o", "loop", disk, folder], check=True)
        try:
            yield folder
        finally:
            subprocess.run(["umount", "-l", folder], check=False)


def run(table: Table, found: list[Engine], bare: BareRuntime, options: argparse.Namespace) -> None:
    contests: dict[str, dict[str, Measure]] = {"bare runtime, no network": {"crun": bare.timed}}
    apis = {each.name: Api(each.socket) for each in found if each.socket is not None}
    for net in ("bridge", "none", "host"):
        contests[f"run --rm true, {net}, by CLI"] = {
            each.name: lambda each=each, net=net: each.timed(
                "run", "--rm", "--network", net, IMAGE, "true"
            )
            for each in found
        }
        contests[f"run --rm true, {net}, by API"] = {
            name: lambda api=api, net=net: timed(lambda: api.run(["true"], net))
            for name, api in apis.items()
        }
    take_turns(table, options.rounds, contests)


def execute(
    table: Table, found: list[Engine], _bare: BareRuntime, options: argparse.Namespace
) -> None:
    for each in found:
        each.run("run", "-d", "--name", "bench-exec", IMAGE, "sleep", "100000")
    try:
        take_turns(
            table,
            options.rounds,
            {"exec true, by CLI": {
                each.name: lambda each=each: each.timed("exec", "bench-exec", "true")
                for each in found
            }},
        )  # fmt: skip
    finally:
        for each in found:
            each.run(*each.rm, "bench-exec")


def many(
    table: Table, found: list[Engine], _bare: BareRuntime, options: argparse.Namespace
) -> None:
    """Started one after another, then removed at once; and the memory of what keeps them."""
    names = [f"bench-many-{number}" for number in range(options.many)]
    for each in found:
        before = each.helpers_kib()
        start = timed(
            lambda each=each: [
                each.run("run", "-d", "--name", name, IMAGE, "sleep", "100000") for name in names
            ]
        )
        time.sleep(1)
        kept = (each.helpers_kib() - before) / options.many
        remove = timed(lambda each=each: each.run(*each.rm, *names))
        table.setdefault(f"{options.many} containers started", {})[each.name] = [start]
        table.setdefault(f"{options.many} containers removed", {})[each.name] = [remove]
        table.setdefault("helper memory per container (KiB)", {})[each.name] = [kept]


def idle(
    table: Table, found: list[Engine], _bare: BareRuntime, _options: argparse.Namespace
) -> None:
    for each in found:
        table.setdefault("idle memory of daemon and helpers (KiB)", {})[each.name] = [
            float(each.helpers_kib())
        ]


def cli(table: Table, found: list[Engine], _bare: BareRuntime, options: argparse.Namespace) -> None:
    """CPU of the command line itself, user and system, of a `ps` with nothing to show."""

    def cpu(each: Engine) -> float:
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run(
            [*each.cli, "ps"], env={**os.environ, **each.environ}, capture_output=True, check=True
        )
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return (after.ru_utime + after.ru_stime) - (before.ru_utime + before.ru_stime)

    take_turns(
        table,
        options.rounds,
        {"ps, CPU of the client": {each.name: lambda each=each: cpu(each) for each in found}},
    )


def log(table: Table, found: list[Engine], _bare: BareRuntime, options: argparse.Namespace) -> None:
    with tempfile.TemporaryDirectory(prefix="knarr-bench-logs-") as name:
        try:
            take_turns(table, min(options.rounds, 3), logs.contests(found, Path(name)))
        finally:
            logs.clear(found)


def traffic(
    table: Table, found: list[Engine], _bare: BareRuntime, options: argparse.Namespace
) -> None:
    network.traffic(table, found, options, take_turns)


def crowd(
    table: Table, found: list[Engine], _bare: BareRuntime, options: argparse.Namespace
) -> None:
    network.crowd(table, found, options)


def build(
    table: Table, found: list[Engine], _bare: BareRuntime, options: argparse.Namespace
) -> None:
    with tempfile.TemporaryDirectory(prefix="knarr-bench-build-") as name:
        folders = builds.Folders(Path(name))
        with builds.builders(found, options.folder) as known:
            begun = time.monotonic()
            half, whole = (begun + options.minutes * 60 * part for part in (0.5, 1))
            take_turns(table, min(options.rounds, 5), builds.measures(known, folders), half)
            if options.json:
                options.json.write_text(json.dumps(table, indent=1))
            take_turns(table, min(options.rounds, 3), builds.one_changed(known, folders), whole)


SECTIONS = {
    "idle": idle,
    "run": run,
    "exec": execute,
    "cli": cli,
    "many": many,
    "logs": log,
    "traffic": traffic,
    "crowd": crowd,
    "build": build,
    "images": images,
    "compose": compose,
}


def show(table: Table) -> None:
    print("| what | who | median | × knarr | min – max |")
    print("| --- | --- | --- | --- | --- |")
    for what, contestants in table.items():
        own = contestants.get("knarr")
        for who, samples in contestants.items():
            middle = statistics.median(samples)
            ratio = f"{middle / statistics.median(own):.2f}" if own and who != "knarr" else ""
            spread = f"{_figure(what, min(samples))} – {_figure(what, max(samples))}"
            print(f"| {what} | {who} | {_figure(what, middle)} | {ratio} | {spread} |")


def _figure(what: str, value: float) -> str:
    return f"{value:,.0f} KiB" if "KiB" in what else f"{value * 1000:,.1f} ms"


if __name__ == "__main__":
    sys.exit(main())
