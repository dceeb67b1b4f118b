"""The placeholders of ``network ls``. A row is a Network as it comes on the wire."""

from __future__ import annotations

from knarr.cli.listing import Column, Listing
from knarr.cli.text import go_time, labels, short


def network_listing(*, whole: bool) -> Listing:
    """The columns; ``whole`` is --no-trunc."""
    columns = {
        "ID": Column("NETWORK ID", lambda row: row["Id"] if whole else short(row["Id"])),
        "Name": Column("NAME", lambda row: row["Name"]),
        "Driver": Column("DRIVER", lambda row: row["Driver"]),
        "Scope": Column("SCOPE", lambda row: row["Scope"]),
        "IPv4": Column("IPV4", lambda row: _word(row.get("EnableIPv4"))),
        "IPv6": Column("IPV6", lambda row: _word(row.get("EnableIPv6"))),
        "Internal": Column("INTERNAL", lambda row: _word(row.get("Internal"))),
        "Labels": Column("LABELS", lambda row: labels(row.get("Labels"))),
        "Label": Column(
            "LABEL", lambda row, key: (row.get("Labels") or {}).get(key, ""), arguments=1
        ),
        "CreatedAt": Column("CREATED AT", lambda row: go_time(row.get("Created", ""))),
    }
    default = ("ID", "Name", "Driver", "Scope")
    return Listing("*network.networkContext", columns, default, raw=_RAW)


_RAW = """\
network_id: {{.ID}}
name: {{.Name}}
driver: {{.Driver}}
scope: {{.Scope}}
"""


def _word(value: bool | None) -> str:
    return "true" if value else "false"
