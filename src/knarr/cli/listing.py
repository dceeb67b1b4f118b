"""What every ``ls`` does with its rows: a table, a template, JSON, or only one column.

Source: formats.md, "Display rules".
"""

from __future__ import annotations

from knarr.cli.table import aligned
from knarr.client.lean import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any

    from knarr.cli.cli import Cli

TABLE = "table"


class Column:
    """One placeholder of a list: the heading over it, and its text for a row.

    arguments: how many words a template gives it: ``{{.Label "key"}}`` has one.
    """

    __slots__ = ("arguments", "heading", "text")

    def __init__(self, heading: str, text: Callable[..., Any], *, arguments: int = 0) -> None:
        self.heading = heading
        self.text = text
        self.arguments = arguments


class Listing:
    """The placeholders of one kind of row, and the ones of the table that is the default.

    kind: the row's type in messages about templates.
    raw: what ``--format raw`` prints of a row, as a template.
    """

    __slots__ = ("columns", "default", "kind", "raw")

    def __init__(
        self, kind: str, columns: dict[str, Column], default: tuple[str, ...], *, raw: str = ""
    ) -> None:
        self.kind = kind
        self.columns = columns
        self.default = default
        self.raw = raw

    def show(
        self,
        cli: Cli,
        rows: Iterable[Any],
        *,
        form: str = "",
        only: str = "",
        default: tuple[str, ...] = (),
    ) -> None:
        """Print the rows. only: one column and nothing else (``-q``); default: other columns."""
        names = default or self.default
        if only:
            text = self.columns[only].text
            cli.out.write("".join(f"{text(row)}\n" for row in rows))
        elif form in ("", TABLE):
            cli.out.write(self._table(rows, names))
        else:
            from knarr.cli.formatted import show

            show(cli, self, rows, form)

    def _table(self, rows: Iterable[Any], names: tuple[str, ...]) -> str:
        columns = [self.columns[name] for name in names]
        lines = ["\t".join(column.heading for column in columns)]
        lines += ("\t".join(column.text(row) for column in columns) for row in rows)
        return aligned(lines)
