"""What an engine holds of the machine, counted from outside: nothing is left behind unseen."""

import os
import socket
from contextlib import suppress
from dataclasses import dataclass, fields
from pathlib import Path

from knarr.network.plan import Names


@dataclass(frozen=True)
class Holdings:
    """Each as a set of names; of containers their IDs."""

    mounts: frozenset[str]
    loops: frozenset[str]
    namespaces: frozenset[str]
    cgroups: frozenset[str]
    links: frozenset[str]
    folders: frozenset[str]
    run_folders: frozenset[str]
    processes: frozenset[str]

    def __sub__(self, other: "Holdings") -> dict[str, frozenset[str]]:
        """What is here and not there, by kind; empty when nothing is."""
        kinds = (each.name for each in fields(self))
        found = {kind: getattr(self, kind) - getattr(other, kind) for kind in kinds}
        return {kind: extra for kind, extra in found.items() if extra}


def holdings(data_root: Path, run_root: Path) -> Holdings:
    return Holdings(
        mounts=frozenset(_mounts(run_root) | _mounts(data_root)),
        loops=frozenset(loops(data_root)),
        namespaces=frozenset(_entries(run_root / "netns")),
        cgroups=frozenset(_cgroups(data_root)),
        links=frozenset(_links(run_root)),
        folders=frozenset(_entries(data_root / "containers")),
        run_folders=frozenset(_entries(run_root / "containers")),
        processes=frozenset(_processes(run_root)),
    )


def _mounts(folder: Path) -> set[str]:
    lines = Path("/proc/self/mounts").read_text().splitlines()
    points = (line.split(" ")[1] for line in lines)
    return {point for point in points if point.startswith(f"{folder}/")}


def loops(folder: Path) -> set[str]:
    """Files beneath that are block devices; one that is deleted meanwhile is one still."""
    found = set()
    for place in Path("/sys/block").glob("loop*/loop/backing_file"):
        with suppress(OSError):
            found.add(place.read_text().strip())
    return {name for name in found if name.startswith(f"{folder}/")}


def _entries(folder: Path) -> set[str]:
    return set(os.listdir(folder)) if folder.is_dir() else set()


def _cgroups(data_root: Path) -> set[str]:
    """Groups in any hierarchy that bear the ID of a container which this data root has or had."""
    known = {name.removeprefix(".trash-") for name in _entries(data_root / "containers")}
    known |= _seen.setdefault(str(data_root), set())
    _seen[str(data_root)] |= known
    found = set()
    for hierarchy in Path("/sys/fs/cgroup").iterdir():
        for group in (hierarchy / "knarr").glob("*"):
            if group.name in known:
                found.add(f"{hierarchy.name}:{group.name}")
    return found


_seen: dict[str, set[str]] = {}


def _links(run_root: Path) -> set[str]:
    """The host's ends of this engine's pairs."""
    names = Names.of(str(run_root))
    prefix = f"kv{names.token}"
    return {name for _, name in socket.if_nameindex() if name.startswith(prefix)}


def _processes(run_root: Path) -> set[str]:
    """OCI runtimes and the like that name this run root, but for daemon and keeper."""
    found = set()
    for entry in Path("/proc").iterdir():
        if not entry.name.isdecimal():
            continue
        try:
            words = (entry / "cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        line = b" ".join(words).decode(errors="replace")
        if str(run_root) in line and "knarr" not in line.split(str(run_root))[0]:
            found.add(line)
    return found
