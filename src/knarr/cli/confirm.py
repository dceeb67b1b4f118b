"""Asking before something is removed for good."""

from __future__ import annotations

import sys
from collections.abc import Iterable

from knarr.cli.cli import Cli
from knarr.units import human_size


def confirmed(cli: Cli, warning: str) -> bool:
    """Show what would happen and read the answer; anything but y is no."""
    cli.out.write(f"{warning} [y/N] ")
    cli.out.flush()
    return sys.stdin.readline().strip().lower() == "y"


def prune_filters(cli: Cli, filters: dict[str, list[str]]) -> dict[str, list[str]]:
    """The filters of a prune, with those that the configuration file always adds."""
    always = cli.config.values.get("pruneFilters")
    for text in always if isinstance(always, list) else ():
        name, _, value = str(text).partition("=")
        other = f"{name}!" if not name.endswith("!") else name.removesuffix("!")
        if value not in filters.get(other, ()):
            filters.setdefault(name, []).append(value)
    return filters


class Pruned:
    """What a prune has removed: a paragraph that lists it (or nothing), and the bytes it freed."""

    __slots__ = ("size_bytes", "text")

    def __init__(self, heading: str, lines: Iterable[str], size_bytes: int) -> None:
        listed = "".join(f"{line}\n" for line in lines)
        self.text = f"Deleted {heading}:\n{listed}\n" if listed else ""
        self.size_bytes = size_bytes

    def show(self, cli: Cli) -> None:
        """The paragraph and the sum."""
        cli.out.write(self.text)
        show_reclaimed(cli, self.size_bytes)


def show_reclaimed(cli: Cli, size_bytes: int) -> None:
    cli.print(f"Total reclaimed space: {human_size(size_bytes)}")
