"""The placeholders of ``stats``, and the sums behind them. Source: formats.md, "Stats"."""

from __future__ import annotations

from knarr.cli.listing import Column, Listing
from knarr.cli.text import short
from knarr.client.lean import Any
from knarr.units import human_size, human_size_binary

Row = dict[str, Any]
_UNKNOWN = "--"


def stats_listing(*, whole: bool) -> Listing:
    """The columns. A row is what ``usage_of`` answers; ``whole`` is --no-trunc."""
    columns = {
        "Container": Column("CONTAINER", lambda row: row["container"]),
        "Name": Column("NAME", lambda row: row["name"].removeprefix("/") or _UNKNOWN),
        "ID": Column("CONTAINER ID", lambda row: _identifier(row, whole)),
        "CPUPerc": Column("CPU %", lambda row: _percent(row, "cpu")),
        "MemUsage": Column("MEM USAGE / LIMIT", lambda row: _pair(row, "memory", "limit")),
        "MemPerc": Column("MEM %", lambda row: _percent(row, "memory_share")),
        "NetIO": Column("NET I/O", lambda row: _pair(row, "received", "sent")),
        "BlockIO": Column("BLOCK I/O", lambda row: _pair(row, "read", "written")),
        "PIDs": Column("PIDS", lambda row: _UNKNOWN if row.get("lost") else str(row["pids"])),
    }
    default = ("ID", "Name", "CPUPerc", "MemUsage", "MemPerc", "NetIO", "BlockIO", "PIDs")
    return Listing("*container.statsContext", columns, default)


def _identifier(row: Row, whole: bool) -> str:
    identifier: str = row["id"] or _UNKNOWN
    return identifier if whole else short(identifier)


def _percent(row: Row, key: str) -> str:
    return _UNKNOWN if row.get("lost") else f"{row[key]:.2f}%"


def _pair(row: Row, one: str, other: str) -> str:
    if row.get("lost"):
        return f"{_UNKNOWN} / {_UNKNOWN}"
    shown = human_size_binary if one == "memory" else human_size
    return f"{shown(row[one])} / {shown(row[other])}"


def unknown(container: str) -> Row:
    """A row for a container that nothing is known of yet, or any more."""
    return {"container": container, "name": "", "id": "", "lost": True}


def usage_of(container: str, stats: Row) -> Row:
    """The sums of one sample, a ContainerStats as it comes on the wire."""
    memory = stats.get("memory_stats") or {}
    used, limit = memory_used(memory), memory.get("limit") or 0
    networks = (stats.get("networks") or {}).values()
    read, written = _block_io(stats)
    return {
        "container": container,
        "name": stats.get("name", ""),
        "id": stats.get("id", ""),
        "cpu": cpu_percent(stats),
        "memory": used,
        "limit": limit,
        "memory_share": used / limit * 100 if limit else 0.0,
        "received": sum(network.get("rx_bytes", 0) for network in networks),
        "sent": sum(network.get("tx_bytes", 0) for network in networks),
        "read": read,
        "written": written,
        "pids": (stats.get("pids_stats") or {}).get("current") or 0,
    }


def cpu_percent(stats: Row) -> float:
    """CPU time between two samples, in percent of one CPU."""
    now, before = stats.get("cpu_stats") or {}, stats.get("precpu_stats") or {}
    used, used_before = now.get("cpu_usage") or {}, before.get("cpu_usage") or {}
    own = used.get("total_usage", 0) - used_before.get("total_usage", 0)
    machine = (now.get("system_cpu_usage") or 0) - (before.get("system_cpu_usage") or 0)
    count = now.get("online_cpus") or len(used.get("percpu_usage") or ())
    return own / machine * count * 100 if own > 0 and machine > 0 else 0.0


def memory_used(memory: Row) -> int:
    """Memory without the page cache that the kernel would give back at once."""
    used = int(memory.get("usage") or 0)
    details = memory.get("stats") or {}
    cache = int(details.get("total_inactive_file", details.get("inactive_file", 0)))
    return used - cache if cache < used else used


def _block_io(stats: Row) -> tuple[int, int]:
    entries = (stats.get("blkio_stats") or {}).get("io_service_bytes_recursive") or ()
    sums = {"r": 0, "w": 0}
    for entry in entries:
        first = entry.get("op", "")[:1].lower()
        if first in sums:
            sums[first] += entry.get("value", 0)
    return sums["r"], sums["w"]
