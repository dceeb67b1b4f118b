"""Help texts in Docker's layout. Loaded only when somebody asks, or has mistaken a flag."""

from __future__ import annotations

import os
from collections.abc import Iterable

from knarr.cli.cli import PROGRAM
from knarr.cli.command import Command, Option
from knarr.cli.words import GROUPS, PROGRAMS, SPELLINGS, group_options, load, paths, spellings_of
from knarr.units import duration_text

COMMON = (
    "run", "exec", "ps", "build", "pull", "push", "images", "login", "logout", "search", "version",
    "info",
)  # fmt: skip
_SLOP = 5  # columns a line may run over to take its last word along
_NARROWEST = 24  # columns of text under which it goes on lines of its own


def usage_line(command: Command, called: str) -> str:
    """``knarr ps [OPTIONS]``"""
    options = " [OPTIONS]" if command.has_options else ""
    arguments = f" {command.usage}" if command.usage else ""
    head, *others = arguments.split("\n")
    return f"{called}{options}{head}" + "".join(
        f"\n\t{called}{options} {other}" for other in others
    )


def command_help(command: Command, called: str) -> str:
    """What ``--help`` of a command prints."""
    blocks = [f"Usage:  {usage_line(command, called)}", command.summary]
    if command.note:
        blocks.append(command.note)
    names = spellings_of(command.path)
    if len(names) > 1:
        listed = ", ".join(f"{PROGRAM} {name}" for name in names)
        blocks.append(f"Aliases:\n  {listed}")
    if command.has_options:
        blocks.append("Options:\n" + flags_text(command.options))
    return "\n\n".join(blocks)


def group_help(group: str) -> str:
    """What a group's name alone prints."""
    own = {path: path for path in paths()}
    # A group of nothing but other spellings shows those.
    own |= {path: path for path in PROGRAMS}
    known = own if any(path.startswith(f"{group} ") for path in own) else SPELLINGS
    rows = [
        (word.removeprefix(f"{group} "), _summary(path))
        for word, path in known.items()
        if word.startswith(f"{group} ")
    ]
    options = group_options(group)
    takes = " [OPTIONS]" if options else ""
    return "\n\n".join(
        (
            f"Usage:  {PROGRAM} {group}{takes} COMMAND",
            GROUPS[group],
            *(["Options:\n" + flags_text(options)] if options else ()),
            "Commands:\n" + _rows(rows),
            f"Run '{PROGRAM} {group} COMMAND --help' for more information on a command.",
        )
    )


def root_help() -> str:
    """What ``knarr`` alone prints."""
    from knarr.cli.globals import options

    everything = [*paths(), *PROGRAMS]
    groups = sorted({path.partition(" ")[0] for path in everything if " " in path} & set(GROUPS))
    singles = {path: path for path in everything if " " not in path}
    singles |= {word: path for word, path in SPELLINGS.items() if " " not in word}
    common = [word for word in COMMON if word in singles]
    others = sorted(set(singles) - set(common))
    return "\n\n".join(
        (
            f"Usage:  {PROGRAM} [OPTIONS] COMMAND",
            "Containers for developers",
            "Common Commands:\n" + _rows([(word, _summary(singles[word])) for word in common]),
            "Management Commands:\n" + _rows([(word, GROUPS[word]) for word in groups]),
            "Commands:\n" + _rows([(word, _summary(singles[word])) for word in others]),
            "Global Options:\n" + flags_text(options()),
            f"Run '{PROGRAM} COMMAND --help' for more information on a command.",
        )
    )


def _summary(path: str) -> str:
    if path in PROGRAMS:
        return PROGRAMS[path]
    command = load(path)
    return command.summary if command else ""


def _rows(rows: list[tuple[str, str]]) -> str:
    width = max((len(word) for word, _ in rows), default=0)
    return "\n".join(f"  {word:<{width}}  {summary}".rstrip() for word, summary in rows)


def flags_text(options: Iterable[Option], width: int | None = None) -> str:
    """All flags that are shown, in two columns, wrapped to the terminal."""
    shown = sorted((o for o in options if not o.flag.hidden), key=lambda option: option.name)
    heads = [_flag_head(option) for option in shown]
    indent = max((len(head) for head in heads), default=0) + 3
    columns = (width or _terminal_width()) - 1
    return "\n".join(
        f"{head:<{indent}}{wrapped(_flag_help(option), indent, columns)}"
        for head, option in zip(heads, shown, strict=True)
    )


def _flag_head(option: Option) -> str:
    short = f"{option.flag.short}, " if option.flag.short else "    "
    kind = f" {option.kind.name}" if option.kind.name else ""
    return f"  {short}--{option.name}{kind}"


def _flag_help(option: Option) -> str:
    default = option.flag.shown
    if default is None:
        default = _default_text(option)
    return f"{option.flag.help} (default {default})" if default else option.flag.help


def _default_text(option: Option) -> str:
    value = option.default
    if value is None or value == () or value == "":
        return ""
    if option.kind.name == "duration":
        return duration_text(value) if value else ""
    if isinstance(value, bool):
        return "true" if value else ""
    text = f'"{value}"' if isinstance(value, str) else str(value)
    return "" if text == option.kind.zero else text


def _terminal_width() -> int:
    try:
        return os.get_terminal_size(0).columns or 80
    except OSError:
        return 80


def wrapped(text: str, indent: int, width: int) -> str:
    """Text broken between words to fit ``width`` columns; lines after the first are indented.

    A line may be a few columns longer when that takes the rest of the text along, so that no
    short word is left alone; given line breaks stay.
    """
    room = width - indent
    before = ""
    if room < _NARROWEST:
        indent = 16
        room = width - indent
        before = "\n" + " " * indent
    if room < _NARROWEST:
        return text
    lines = []
    while text:
        line, text = _first_line(text, room - _SLOP)
        lines += line.split("\n")
    return before + ("\n" + " " * indent).join(lines)


def _first_line(text: str, room: int) -> tuple[str, str]:
    if room + _SLOP > len(text):
        return text, ""
    start = text[:room]
    space = max(start.rfind(" "), start.rfind("\t"), start.rfind("\n"))
    if space <= 0:
        return text, ""
    line_break = start.rfind("\n")
    cut = line_break if 0 < line_break < space else space
    return text[:cut], text[cut + 1 :]
