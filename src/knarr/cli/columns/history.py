"""The placeholders of ``history``. A row is an ImageHistoryItem as it comes on the wire."""

from __future__ import annotations

import time

from knarr.cli.listing import Column, Listing
from knarr.cli.text import ago, ellipsis, short
from knarr.client.lean import TYPE_CHECKING
from knarr.units import human_size

if TYPE_CHECKING:
    from typing import Any

    Row = dict[str, Any]

COMMAND_WIDTH, COMMENT_WIDTH = 45, 45
_NEVER = -62135596800  # Unix seconds of Go's zero time


def history_listing(*, whole: bool, human: bool) -> Listing:
    """The columns; ``whole`` is --no-trunc, ``human`` is --human."""
    columns = {
        "ID": Column("IMAGE", lambda row: row["Id"] if whole else short(row["Id"])),
        "CreatedAt": Column("CREATED AT", lambda row: _date(row["Created"])),
        "CreatedSince": Column(
            "CREATED" if human else "CREATED AT",
            lambda row: _since(row["Created"]) if human else _date(row["Created"]),
        ),
        "CreatedBy": Column("CREATED BY", lambda row: _command(row, whole)),
        "Size": Column("SIZE", lambda row: human_size(row["Size"]) if human else str(row["Size"])),
        "Comment": Column("COMMENT", lambda row: row["Comment"]),
    }
    default = ("ID", "CreatedSince", "CreatedBy", "Size", "Comment")
    return Listing("*image.historyContext", columns, default)


def _date(created: int) -> str:
    if created <= _NEVER:
        return "N/A"
    local = time.localtime(created)
    offset = abs(local.tm_gmtoff) // 60
    sign = "-" if local.tm_gmtoff < 0 else "+"
    zone = f"{sign}{offset // 60:02}:{offset % 60:02}" if offset else "Z"
    return time.strftime("%Y-%m-%dT%H:%M:%S", local) + zone


def _since(created: int) -> str:
    return ago(created) if created > _NEVER else "N/A"


def _command(row: Row, whole: bool) -> str:
    command: str = row["CreatedBy"].replace("\t", " ")
    return command if whole else ellipsis(command, COMMAND_WIDTH)
