"""What a `system prune` would remove, reckoned from what the engine says it has. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from knarr.cli.text import short
from knarr.client.lean import Any
from knarr.units import human_size

Row = dict[str, Any]
_RUNS = ("running", "paused", "restarting")
_BUILT_IN = ("bridge", "host", "none")
_SHOWN = 5  # names; of the others only the number
_ANONYMOUS = "com.docker.volume.anonymous"


class Lot:
    """Objects of one kind that would go: their names, and their bytes (None: they take none)."""

    __slots__ = ("kind", "names", "size_bytes")

    def __init__(self, kind: str, names: Iterable[str], size_bytes: int | None = None) -> None:
        self.kind, self.names, self.size_bytes = kind, tuple(names), size_bytes

    def __str__(self) -> str:
        """``2 containers, 21MB: web, db``."""
        count = len(self.names)
        plural = "" if count == 1 else "s"
        size = "" if self.size_bytes is None else f", {human_size(self.size_bytes)}"
        names = ", ".join(self.names[:_SHOWN])
        more = f" and {count - _SHOWN} more" if count > _SHOWN else ""
        return f"{count} {self.kind}{plural}{size}: {names}{more}"


def lots(usage: Row, networks: Iterable[Row], *, all_: bool, volumes: bool) -> list[Lot]:
    """usage: a DataUsage on the wire; networks: as listed. Kinds with nothing to remove are left
    out. Bytes that images share with others that go count for none of them: it frees at least
    what is told.
    """
    containers = usage.get("Containers") or []
    stay = [row for row in containers if row.get("State") in _RUNS]
    gone = [row for row in containers if row.get("State") not in _RUNS]
    found = [
        Lot("container", map(_container_name, gone), sum(row.get("SizeRw") or 0 for row in gone)),
        Lot("network", _unused_networks(networks, stay)),
        _volumes(usage, stay) if volumes else Lot("volume", ()),
        _images(usage, stay, all_=all_),
        _cache(usage),
    ]
    return [lot for lot in found if lot.names]


def _container_name(row: Row) -> str:
    return str((row.get("Names") or [short(row["Id"])])[0]).lstrip("/")


def _unused_networks(networks: Iterable[Row], stay: list[Row]) -> list[str]:
    used = {name for row in stay for name in row["NetworkSettings"]["Networks"]}
    return [
        row["Name"]
        for row in networks
        if row["Name"] not in used and row["Name"] not in _BUILT_IN
    ]  # fmt: skip


def _volumes(usage: Row, stay: list[Row]) -> Lot:
    used = {mount.get("Name") for row in stay for mount in row.get("Mounts") or ()}
    gone = [
        row
        for row in usage.get("Volumes") or ()
        if row["Name"] not in used and _ANONYMOUS in (row.get("Labels") or {})
    ]
    sizes = [(row.get("UsageData") or {}).get("Size", 0) for row in gone]
    return Lot("volume", (row["Name"][:12] for row in gone), sum(max(size, 0) for size in sizes))


def _images(usage: Row, stay: list[Row], *, all_: bool) -> Lot:
    used = {row["ImageID"] for row in stay}
    gone = [
        row
        for row in usage.get("Images") or ()
        if row["Id"] not in used and (all_ or not _tags(row))
    ]
    names = [next(iter(_tags(row)), short(row["Id"])) for row in gone]
    return Lot("image", names, sum(row["Size"] - max(row["SharedSize"], 0) for row in gone))


def _tags(row: Row) -> list[str]:
    return [tag for tag in row.get("RepoTags") or () if tag != "<none>:<none>"]


def _cache(usage: Row) -> Lot:
    gone = [row for row in usage.get("BuildCache") or () if not row.get("InUse")]
    own = sum(row["Size"] for row in gone if not row.get("Shared"))
    return Lot("build cache record", (short(row["ID"]) for row in gone), own)


def told(found: list[Lot], *, filtered: bool) -> str:
    """The paragraph for the person who is about to be asked."""
    if not found:
        return "\nThere is nothing of the kind now.\n"
    total = sum(lot.size_bytes or 0 for lot in found)
    lines = "".join(f"  - {lot}\n" for lot in found)
    return f"\nThat is now{', at most' if filtered else ''}, {human_size(total)} in all:\n{lines}"
