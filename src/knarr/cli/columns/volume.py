"""The placeholders of ``volume ls``. A row is a Volume as it comes on the wire."""

from __future__ import annotations

from knarr.cli.listing import Column, Listing
from knarr.cli.text import labels
from knarr.client.lean import TYPE_CHECKING
from knarr.units import human_size

if TYPE_CHECKING:
    from typing import Any

    Row = dict[str, Any]

_UNKNOWN = "N/A"


def volume_listing() -> Listing:
    columns = {
        "Name": Column("VOLUME NAME", lambda row: row["Name"]),
        "Driver": Column("DRIVER", lambda row: row["Driver"]),
        "Scope": Column("SCOPE", lambda row: row["Scope"]),
        "Mountpoint": Column("MOUNTPOINT", lambda row: row["Mountpoint"]),
        "Labels": Column("LABELS", lambda row: labels(row.get("Labels"))),
        "Label": Column(
            "LABEL", lambda row, key: (row.get("Labels") or {}).get(key, ""), arguments=1
        ),
        "Links": Column("LINKS", _links),
        "Size": Column("SIZE", _size),
        "Group": Column("GROUP", lambda _: _UNKNOWN),
        "Availability": Column("AVAILABILITY", lambda _: _UNKNOWN),
        "Status": Column("STATUS", lambda _: _UNKNOWN),
    }
    default = ("Driver", "Name")
    return Listing("*formatter.volumeContext", columns, default, raw=_RAW)


_RAW = """\
name: {{.Name}}
driver: {{.Driver}}
"""


def _links(row: Row) -> str:
    usage = row.get("UsageData")
    return str(usage["RefCount"]) if usage else _UNKNOWN


def _size(row: Row) -> str:
    usage = row.get("UsageData")
    return human_size(usage["Size"]) if usage else _UNKNOWN
