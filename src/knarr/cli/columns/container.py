"""The placeholders of ``ps``. A row is a ContainerSummary as it comes on the wire."""

from __future__ import annotations

from knarr.cli.listing import Column, Listing
from knarr.cli.text import ago, ellipsis, labels, moment, short
from knarr.client.lean import TYPE_CHECKING
from knarr.quoting import quoted
from knarr.units import human_size

if TYPE_CHECKING:
    from typing import Any

    Row = dict[str, Any]

COMMAND_WIDTH, MOUNT_WIDTH = 20, 15


def container_listing(*, whole: bool) -> Listing:
    """The columns; ``whole`` is --no-trunc."""
    columns = {
        "ID": Column("CONTAINER ID", lambda row: row["Id"] if whole else short(row["Id"])),
        "Names": Column("NAMES", lambda row: _names(row, whole)),
        "Image": Column("IMAGE", lambda row: _image(row, whole)),
        "Command": Column("COMMAND", lambda row: _command(row, whole)),
        "CreatedAt": Column("CREATED AT", lambda row: moment(row["Created"])),
        "RunningFor": Column("CREATED", lambda row: ago(row["Created"])),
        "Ports": Column("PORTS", lambda row: ports_text(row.get("Ports") or [])),
        "State": Column("STATE", lambda row: row.get("State") or ""),
        "Status": Column("STATUS", lambda row: row.get("Status") or ""),
        "Size": Column("SIZE", _size),
        "Labels": Column("LABELS", lambda row: labels(row.get("Labels"))),
        "Label": Column("LABEL", lambda row, key: (row.get("Labels") or {}).get(key, ""),
                        arguments=1),
        "Mounts": Column("MOUNTS", lambda row: _mounts(row, whole)),
        "LocalVolumes": Column("LOCAL VOLUMES", _local_volumes),
        "Networks": Column("NETWORKS", _networks),
        "Platform": Column("PLATFORM", lambda _: None),
    }  # fmt: skip
    default = ("ID", "Image", "Command", "RunningFor", "Status", "Ports", "Names")
    return Listing("*formatter.ContainerContext", columns, default, raw=_RAW)


_RAW = """\
container_id: {{.ID}}
image: {{.Image}}
command: {{.Command}}
created_at: {{.CreatedAt}}
state: {{- pad .State 1 0}}
status: {{- pad .Status 1 0}}
names: {{.Names}}
labels: {{- pad .Labels 1 0}}
ports: {{- pad .Ports 1 0}}
"""


def _names(row: Row, whole: bool) -> str:
    names = [name.removeprefix("/") for name in row.get("Names") or ()]
    if not whole:
        names = [name for name in names if "/" not in name]  # the others are links' names
    return ",".join(names)


def _image(row: Row, whole: bool) -> str:
    image: str = row.get("Image") or ""
    if not image:
        return "<no image>"
    if whole:
        return image
    identifier = short(row.get("ImageID") or "")
    if identifier == short(image):
        return identifier
    return image.partition("@")[0] or image


def _command(row: Row, whole: bool) -> str:
    command: str = row.get("Command") or ""
    return quoted(command if whole else ellipsis(command, COMMAND_WIDTH))


def _size(row: Row) -> str:
    text = human_size(row.get("SizeRw") or 0)
    whole = row.get("SizeRootFs") or 0
    return f"{text} (virtual {human_size(whole)})" if whole > 0 else text


def _mounts(row: Row, whole: bool) -> str:
    names = [mount.get("Name") or mount.get("Source") or "" for mount in row.get("Mounts") or ()]
    return ",".join(name if whole else ellipsis(name, MOUNT_WIDTH) for name in names)


def _local_volumes(row: Row) -> str:
    return str(sum(mount.get("Driver") == "local" for mount in row.get("Mounts") or ()))


def _networks(row: Row) -> str:
    settings = row.get("NetworkSettings") or {}
    return ",".join(settings.get("Networks") or ())


def ports_text(ports: list[Row]) -> str:
    """``0.0.0.0:8000-8001->8000-8001/tcp, 9000/tcp``: neighbours are one range.

    Only ports that are published under their own number make a range, as do unpublished ones.
    """
    ranges: dict[tuple[str, str], tuple[int, int]] = {}
    texts: list[str] = []
    published: list[str] = []
    for port in sorted(ports, key=_port_order):
        number, outside = port["PrivatePort"], port.get("PublicPort") or 0
        address, protocol = port.get("IP") or "", port.get("Type") or ""
        if outside and outside != number:
            published.append(f"{_shown_ip(address)}:{outside}->{number}/{protocol}")
            continue
        key = (address if outside else "", protocol)
        first, last = ranges.get(key, (0, 0))
        if not first:
            ranges[key] = (number, number)
        elif number in (last, last + 1):
            ranges[key] = (first, number)
        else:
            texts.append(_range_text(key, first, last))
            ranges[key] = (number, number)
    texts += (_range_text(key, *ranges[key]) for key in sorted(ranges))
    return ", ".join([*texts, *published])


def _port_order(port: Row) -> tuple[int, str, int, str]:
    return (
        port["PrivatePort"], port.get("IP") or "", port.get("PublicPort") or 0,
        port.get("Type") or "",
    )  # fmt: skip


def _shown_ip(address: str) -> str:
    return f"[{address}]" if ":" in address else address


def _range_text(key: tuple[str, str], first: int, last: int) -> str:
    address, protocol = key
    numbers = str(first) if first == last else f"{first}-{last}"
    return (
        f"{_shown_ip(address)}:{numbers}->{numbers}/{protocol}"
        if address
        else (f"{numbers}/{protocol}")
    )
