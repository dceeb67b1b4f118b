"""``inspect`` of anything: the engine's JSON as it came, or a template over it.

Source: docker-cli reference, "inspect".
"""

from __future__ import annotations

from knarr.cli.cli import Cli
from knarr.cli.exit import FAILED, BadRendering, Exit, text_of
from knarr.client.lean import TYPE_CHECKING, Final
from knarr.errors import KnarrError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

_INDENT: Final = "    "
_SPACE: Final = " \t\r\n"
_MARKS: Final = "{}[],:"


def inspect(cli: Cli, refs: Iterable[str], fetch: Callable[[str], bytes], form: str) -> None:
    """Print what ``fetch`` answers for each of ``refs``; failures are told at the end."""
    as_json = form == "json"
    show = None
    if form and not as_json:
        from knarr.cli.templated import shown_by

        show = shown_by(form)
    found: list[str] = []
    failures: list[str] = []
    for ref in refs:
        try:
            raw = fetch(ref).decode("utf-8", "surrogateescape")
            found.append(show(raw) if show else raw.strip())
        except KnarrError as error:
            failures.append(text_of(error))
            if isinstance(error, BadRendering):
                break
    if show:
        cli.out.write("".join(f"{text}\n" for text in found) or ("\n" if failures else ""))
    else:
        whole = f"[{','.join(found)}]"
        cli.print(whole if as_json else indented(whole))
    if failures:
        raise Exit(FAILED, "\n".join(failures))


def indented(text: str) -> str:
    """JSON over lines with four spaces a level; every value keeps its bytes."""
    out: list[str] = []
    depth, opened = 0, False
    for token in _tokens(text):
        if token in "}]":
            depth -= 1
            out.append(token if opened else f"\n{_INDENT * depth}{token}")
            opened = False
            continue
        if opened:
            out.append(f"\n{_INDENT * depth}")
            opened = False
        if token in "{[":
            depth += 1
            opened = True
            out.append(token)
        elif token == ",":
            out.append(f",\n{_INDENT * depth}")
        else:
            out.append(": " if token == ":" else token)
    return "".join(out)


def _tokens(text: str) -> Iterator[str]:
    """Strings with their quotes, marks, and words. By hand: ``re`` takes 5 ms to import."""
    start, size = 0, len(text)
    while start < size:
        letter = text[start]
        if letter in _SPACE:
            start += 1
            continue
        end = start + 1
        if letter == '"':
            end = _end_of_string(text, start)
        elif letter not in _MARKS:
            while end < size and text[end] not in _MARKS and text[end] not in _SPACE:
                end += 1
        yield text[start:end]
        start = end


def _end_of_string(text: str, start: int) -> int:
    """Behind the closing quote: the first with an even number of backslashes before it."""
    end = start
    while True:
        end = text.index('"', end + 1)
        inside = text[start + 1 : end]
        if (len(inside) - len(inside.rstrip("\\"))) % 2 == 0:
            return end + 1
