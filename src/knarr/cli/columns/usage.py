"""What ``system df`` shows: sums of each kind, or every object. From a DataUsage on the wire."""

from __future__ import annotations

from knarr.cli.columns.image import rows_of
from knarr.cli.listing import Column, Listing
from knarr.cli.text import ago, short
from knarr.client.lean import Any
from knarr.units import human_size_precise

Row = dict[str, Any]
_ACTIVE = ("running", "paused", "restarting")


def usage_listing() -> Listing:
    columns = {
        "Type": Column("TYPE", lambda row: row["type"]),
        "TotalCount": Column("TOTAL", lambda row: str(row["total"])),
        "Active": Column("ACTIVE", lambda row: str(row["active"])),
        "Size": Column("SIZE", lambda row: human_size_precise(row["size"])),
        "Reclaimable": Column("RECLAIMABLE", _reclaimable),
    }
    return Listing("*formatter.diskUsageContext", columns, tuple(columns), raw=_RAW)


_RAW = """\
type: {{.Type}}
total: {{.TotalCount}}
active: {{.Active}}
size: {{.Size}}
reclaimable: {{.Reclaimable}}
"""


def _reclaimable(row: Row) -> str:
    text = human_size_precise(row["reclaimable"])
    if not row["size"] or row["type"] == "Build Cache":
        return text
    return f"{text} ({row['reclaimable'] * 100 // row['size']}%)"


def sums(usage: Row) -> list[Row]:
    """A row for each kind of object."""
    images, containers = usage.get("Images") or [], usage.get("Containers") or []
    volumes, cache = usage.get("Volumes") or [], usage.get("BuildCache") or []
    layers = usage.get("LayersSize", 0)
    kept = sum(
        image["Size"] - image["SharedSize"]
        for image in images
        if image.get("Containers") and image.get("SharedSize", -1) != -1
    )
    written = [container.get("SizeRw") or 0 for container in containers]
    active = [container.get("State") in _ACTIVE for container in containers]
    used = [_references(volume) > 0 for volume in volumes]
    sizes = [max(_volume_size(volume), 0) for volume in volumes]
    own = [record["Size"] for record in cache if not record.get("Shared")]
    free = [r["Size"] for r in cache if not r.get("Shared") and not r.get("InUse")]
    return [
        _sum("Images", images, sum(bool(i.get("Containers")) for i in images), layers,
             layers - kept),
        _sum("Containers", containers, sum(active), sum(written),
             sum(size for size, runs in zip(written, active, strict=True) if not runs)),
        _sum("Local Volumes", volumes, sum(used), sum(sizes),
             sum(size for size, has in zip(sizes, used, strict=True) if not has)),
        _sum("Build Cache", cache, sum(bool(r.get("InUse")) for r in cache), sum(own), sum(free)),
    ]  # fmt: skip


def _sum(kind: str, objects: list[Row], active: int, size: int, reclaimable: int) -> Row:
    return {"type": kind, "total": len(objects), "active": active, "size": size,
            "reclaimable": reclaimable}  # fmt: skip


def _references(volume: Row) -> int:
    return int((volume.get("UsageData") or {}).get("RefCount", 0))


def _volume_size(volume: Row) -> int:
    return int((volume.get("UsageData") or {}).get("Size", -1))


def cache_listing(*, whole: bool) -> Listing:
    """The columns of the build cache."""
    columns = {
        "ID": Column("CACHE ID", lambda row: row["ID"] if whole else short(row["ID"])),
        "Parent": Column("PARENT", lambda row: row.get("Parent", "")),
        "CacheType": Column("CACHE TYPE", lambda row: row.get("Type", "")),
        "Size": Column("SIZE", lambda row: human_size_precise(row["Size"])),
        "CreatedSince": Column("CREATED", lambda row: _ago(row.get("CreatedAt"))),
        "LastUsedSince": Column("LAST USED", lambda row: _ago(row.get("LastUsedAt"))),
        "UsageCount": Column("USAGE", lambda row: str(row.get("UsageCount", 0))),
        "Shared": Column("SHARED", lambda row: "true" if row.get("Shared") else "false"),
        "InUse": Column("IN USE", lambda row: "true" if row.get("InUse") else "false"),
        "Description": Column("DESCRIPTION", lambda row: row.get("Description", "")),
    }
    default = ("ID", "CacheType", "Size", "CreatedSince", "LastUsedSince", "UsageCount", "Shared")
    return Listing("*formatter.buildCacheContext", columns, default)


def _ago(text: str | None) -> str:
    from datetime import datetime

    if not text or text.startswith("0001"):
        return ""
    seconds = datetime.fromisoformat(text[:19] + "+00:00").timestamp()
    return ago(seconds)


def cache_size(usage: Row) -> str:
    """What builds have kept, and share with nobody."""
    cache = usage.get("BuildCache") or ()
    return human_size_precise(sum(r["Size"] for r in cache if not r.get("Shared")))


def image_rows(usage: Row) -> list[Row]:
    """One row for each image, under its first name."""
    firsts = [
        {**image, "RepoTags": (image.get("RepoTags") or [])[:1], "RepoDigests": []}
        for image in usage.get("Images") or ()
    ]
    return [{**row, "digest": ""} for row in rows_of(firsts, digests=False)]
