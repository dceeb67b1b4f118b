"""``images --tree``: each image, and beneath it the platforms that it has.

Rows are ImageSummary as they come with ``manifests=1``. Source: docker 28.2, what its client draws.
"""

from __future__ import annotations

import os

from knarr.cli.text import short
from knarr.client.lean import TYPE_CHECKING
from knarr.units import human_size

if TYPE_CHECKING:
    from typing import Any, TextIO

    Row = dict[str, Any]

_WARNING = (
    "WARNING: This is an experimental feature. The output may change and shouldn't be depended on."
)
_SPACING = 3
_COLUMNS = (("ID", 12, False), ("DISK USAGE", 10, True), ("CONTENT SIZE", 12, True),
            ("EXTRA", 5, False))  # fmt: skip  # heading, width, whether it stands to the right
_NARROWEST = 12  # columns that the name keeps; others fall away for it
_BOLD, _DIM, _PLAIN, _END = "\x1b[1m", "\x1b[2m", "\x1b[39m", "\x1b[0m"
_NAME, _CHIP = "\x1b[34m\x1b[1m", "\x1b[38;5;0m\x1b[48;5;14m U \x1b[0m"
_NO_NAME = _PLAIN + _DIM


class _Line:
    """One line: a name or platform, and where it has them, the other columns."""

    __slots__ = ("cells", "colour", "name", "rest", "used")

    def __init__(self, name: str, cells: tuple[str, ...], colour: str, *, used: bool) -> None:
        self.name = name
        self.cells = cells
        self.colour = colour
        self.rest = colour if colour == _PLAIN + _DIM and name[0] in "├└" else _PLAIN
        self.used = used


def show_tree(out: TextIO, images: list[Row], *, untagged: bool) -> None:
    """untagged: those without a name too."""
    groups = [lines for image in images if (lines := _lines(image, untagged=untagged))]
    spaced = any(image.get("Manifests") for image in images)
    width = _width(out)
    columns, room = _fitting(width)
    # As docker counts them: the name's bytes, not its letters.
    longest = max((len(line.name.encode()) for lines in groups for line in lines), default=0)
    room = min(room, max(longest, len("IMAGE")))
    colours = out.isatty()
    out.write(_head(width, colours=colours))
    heads = [name.rjust(size) if right else name.ljust(size) for name, size, right in columns]
    cells = ["IMAGE", *heads]
    pads = [" " * (room - len("IMAGE"))] + [""] * len(columns)
    out.write(_headings(cells, pads))
    for lines in groups:
        out.writelines(_drawn(line, columns, room, colours=colours) + "\n" for line in lines)
        if spaced:
            out.write("\n")


def _lines(image: Row, *, untagged: bool) -> list[_Line]:
    names = [name for name in image.get("RepoTags") or () if name != "<none>:<none>"]
    if not names and not untagged:
        return []
    manifests = [each for each in image.get("Manifests") or () if each.get("Kind") == "image"]
    content = sum((each.get("Size") or {}).get("Content", 0) for each in manifests
                  if each.get("Available"))  # fmt: skip
    used = (image.get("Containers") or 0) > 0 or any(map(_used, manifests))
    own = (short(image["Id"]), human_size(image["Size"]), human_size(content))
    colour = _NAME if names else _NO_NAME
    lines = [_Line(name, (), colour, used=False) for name in names[:-1]]
    lines.append(_Line((names or ["<untagged>"])[-1], own, colour, used=used))
    for number, each in enumerate(manifests, start=1):
        branch = "└─" if number == len(manifests) else "├─"
        size = each.get("Size") or {}
        cells = (short(each["ID"]), human_size(size.get("Total", 0)),
                 human_size(size.get("Content", 0)))  # fmt: skip
        colour = _PLAIN if each.get("Available") else _PLAIN + _DIM
        lines.append(_Line(f"{branch} {_platform(each)}", cells, colour, used=_used(each)))
    return lines


def _used(manifest: Row) -> bool:
    return bool((manifest.get("ImageData") or {}).get("Containers"))


def _platform(manifest: Row) -> str:
    platform = (manifest.get("ImageData") or {}).get("Platform") or {}
    parts = (platform.get(name) for name in ("os", "architecture", "variant"))
    return "/".join(part for part in parts if part)


def _fitting(width: int) -> tuple[tuple[tuple[str, int, bool], ...], int]:
    """The columns that the terminal has room for, and what is left for the name."""
    room = width
    for place, (_, size, _) in enumerate(_COLUMNS):
        if room - size - _SPACING < _NARROWEST:
            return _COLUMNS[:place], room
        room -= size + _SPACING
    return _COLUMNS, room


def _width(out: TextIO) -> int:
    try:
        columns = os.get_terminal_size(out.fileno()).columns if out.isatty() else 0
    except (OSError, ValueError):
        columns = 0
    return max(columns or 80, 20)


def _head(width: int, *, colours: bool) -> str:
    if not colours:
        return f"{_WARNING}\n{'Info ->  U In Use '.rjust(width)}\n\n"
    legend = f"{_BOLD}\x1b[106m\x1b[30mi{_END}{_END} \x1b[96mInfo → {_END}{_END} {_CHIP} In Use "
    return f"\x1b[93m{_WARNING}{_END}\n{' ' * (width - len('i Info →   U  In Use '))}{legend}\n\n"


def _headings(cells: list[str], pads: list[str]) -> str:
    drawn = []
    for text, pad in zip(cells, pads, strict=True):
        bare = text.strip()
        left = text[: len(text) - len(text.lstrip())]
        right = text[len(left) + len(bare) :]
        drawn.append(f"{left}{_PLAIN}{_BOLD}{bare}{_END}{right}{pad}")
    return (" " * _SPACING).join(drawn) + "\n"


def _drawn(
    line: _Line, columns: tuple[tuple[str, int, bool], ...], room: int, *, colours: bool
) -> str:
    name = line.name if len(line.name) <= room else line.name[: room - 1] + "…"
    if not line.cells:
        return f"{line.colour}{name}{_END}" if colours else name
    drawn = [_coloured(name, line.colour, colours) + " " * (room - len(name))]
    for text, (_, size, right) in zip(line.cells, columns, strict=False):
        pad = " " * (size - len(text))
        cell = _coloured(text, line.rest, colours)
        drawn.append(pad + cell if right else cell + pad)
    if len(columns) > len(line.cells):
        drawn.append(_extra(used=line.used, colours=colours))
    return (" " * _SPACING).join(drawn)


def _extra(*, used: bool, colours: bool) -> str:
    if not used:
        return " " * 5
    return f"{_CHIP}  " if colours else "U    "


def _coloured(text: str, colour: str, colours: bool) -> str:
    return f"{colour}{text}{_END}" if colours else text
