"""Rows of text in columns, as Docker lays them out.

Source: formats.md, "Display rules"; Go's text/tabwriter for how cells get their width.
"""

from __future__ import annotations

from knarr.client.lean import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

NARROWEST = 10  # columns of a cell, its gap included
GAP = 3


def aligned(lines: Iterable[str], *, narrowest: int = NARROWEST, gap: int = GAP) -> str:
    """Lines whose cells end with a tab, the cells of neighbouring lines made equally wide.

    A line's last cell is not part of a column; a column ends where a line has no such cell.
    """
    rows = [line.split("\t") for line in lines]
    widths: list[list[int]] = [[] for _ in rows]
    _measure(rows, widths, 0, len(rows), 0, narrowest, gap)
    out = []
    for cells, wide in zip(rows, widths, strict=True):
        padded = (f"{cell:<{width}}" for cell, width in zip(cells, wide, strict=False))
        out.append("".join(padded) + cells[-1] + "\n")
    return "".join(out)


def _measure(
    rows: list[list[str]],
    widths: list[list[int]],
    start: int,
    end: int,
    column: int,
    narrowest: int,
    gap: int,
) -> None:
    """Give each block of lines that have a cell in ``column`` that cell's width."""
    line = start
    while line < end:
        if len(rows[line]) - 1 <= column:
            line += 1
            continue
        last = line
        while last < end and len(rows[last]) - 1 > column:
            last += 1
        longest = max(len(row[column]) for row in rows[line:last])
        width = max(longest + gap, narrowest)
        for row in widths[line:last]:
            row.append(width)
        _measure(rows, widths, line, last, column + 1, narrowest, gap)
        line = last
