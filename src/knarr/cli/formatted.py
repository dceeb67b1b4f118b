"""Rows of a list by a template or as JSON. Loaded only where ``--format`` asks for it."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from knarr.cli.cli import Cli
from knarr.cli.exit import Exit
from knarr.cli.listing import TABLE, Column, Listing
from knarr.cli.table import aligned
from knarr.client.lean import Any
from knarr.template import Template, TemplateError, TemplateSyntaxError
from knarr.template_functions import html_safe, json_text


class Row:
    """A row as a template sees it: its columns are fields, those with arguments methods."""

    def __init__(self, listing: Listing, row: Any) -> None:
        self.go_type = listing.kind
        self._columns = listing.columns
        self._row = row

    def field(self, name: str) -> Any:
        column = self._columns[name]
        if column.arguments:
            return lambda key: column.text(self._row, key)
        return column.text(self._row)

    def as_json(self) -> str:
        """Every column in the order of names, as Go's encoder writes a map."""
        return html_safe(json_text(self.plain()))

    def plain(self) -> dict[str, Any]:
        return {
            name: column.text(self._row)
            for name, column in sorted(self._columns.items())
            if not column.arguments
        }


class Heading:
    """The row of headings: the same template makes it out of the columns' names."""

    go_type = "*formatter.SubHeaderContext"

    def __init__(self, columns: dict[str, Column]) -> None:
        self._columns = columns

    def field(self, name: str) -> Any:
        column = self._columns[name]
        return _label_heading if column.arguments else column.heading


def _label_heading(key: str) -> str:
    return key.rpartition(".")[2].replace("-", " ").replace("_", " ")


def show(cli: Cli, listing: Listing, rows: Iterable[Any], form: str) -> None:
    """Print ``rows``: ``json``, ``raw``, ``table TEMPLATE`` or ``TEMPLATE``."""
    if form == "json":
        cli.out.write("".join(f"{Row(listing, row).as_json()}\n" for row in rows))
        return
    is_table = form.startswith(f"{TABLE} ")
    if form == "raw" and listing.raw:
        source = listing.raw
    else:
        source = unescaped(form.removeprefix(TABLE) if is_table else form).strip(" ")
    render = renderer(source)
    lines = [render(Row(listing, row)) for row in rows]
    if is_table:
        cli.out.write(aligned([render(Heading(listing.columns)), *lines]))
    else:
        cli.out.write("".join(f"{line}\n" for line in lines))


def unescaped(form: str) -> str:
    r"""``\t`` and ``\n`` may be written as such on a command line."""
    return form.replace("\\t", "\t").replace("\\n", "\n")


def one(cli: Cli, document: Any, form: str) -> None:
    """Print a single document: ``json``, or a template that sees its keys as fields."""
    if form == "json":
        cli.print(json_text(document))
        return
    cli.print(renderer(unescaped(form))(document))


def renderer(source: str) -> Callable[[Any], str]:
    try:
        template = Template(source)
    except TemplateSyntaxError as error:
        raise Exit(1, f"failed to parse template: {error}") from error

    def render(row: Any) -> str:
        try:
            return template.render(row)
        except TemplateError as error:
            raise Exit(1, f"failed to execute template: {error}") from error

    return render
