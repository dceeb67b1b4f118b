"""From text to logical lines: continuations joined, comments dropped, heredocs collected.

Source: Dockerfile reference, "Format", "Here-Documents".
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from knarr.dockerfile.directives import Directives, read_directives
from knarr.dockerfile.expansion import ExpansionError, expand
from knarr.dockerfile.source import DockerfileError, Place, Source

SIZE_MAX: Final = 4 << 20  # bytes of a Dockerfile; more is a mistaken -f, not a Dockerfile
_HEREDOC: Final = re.compile(r"(\d*)<<(-?)([^<]+)")
_MAY_HAVE_HEREDOCS: Final = frozenset({"RUN", "COPY", "ADD"})
_BLANKS: Final = " \t\v\f\r"


@dataclass(frozen=True, slots=True, kw_only=True)
class Heredoc:
    """Text that stands in the Dockerfile behind the instruction that uses it."""

    name: str
    content: str = ""
    expands: bool = True  # no part of the name was quoted
    strips_tabs: bool = False  # written <<-NAME

    @property
    def text(self) -> str:
        """The content as it is meant, leading tabs gone where ``<<-`` says so."""
        return re.sub(r"(?m)^\t+", "", self.content) if self.strips_tabs else self.content


def parse_heredoc(word: str) -> Heredoc | None:
    """The heredoc that ``word`` announces (``<<EOF``, ``3<<-'END'``), without its content."""
    match = _HEREDOC.fullmatch(word)
    if match is None:
        return None
    try:
        names = expand(match[3].replace("$", "\\$"), {}).words
    except ExpansionError:
        return None
    if len(names) != 1:
        return None
    return Heredoc(name=names[0], expands=names[0] == match[3], strips_tabs=bool(match[2]))


@dataclass(frozen=True, slots=True, kw_only=True)
class LogicalLine:
    """One instruction's text as it stands in the file, over however many lines."""

    source: Source
    text: str
    pieces: tuple[tuple[int, Place], ...]  # where in ``text`` each line of the file begins
    last_line: int
    escape: str = "\\"
    comments: tuple[str, ...] = ()  # directly above, without their #
    heredocs: tuple[Heredoc, ...] = ()
    has_empty_continuation: bool = False

    @property
    def first_line(self) -> int:
        return self.pieces[0][1].line

    def place(self, offset: int) -> Place:
        """Where in the file the character at ``offset`` of the text stands."""
        start, place = max(
            (piece for piece in self.pieces if piece[0] <= offset), key=lambda piece: piece[0]
        )
        return Place(place.line, place.column + offset - start)


@dataclass(slots=True)
class _Gathering:
    """A logical line while its pieces are read."""

    text: str = ""
    pieces: list[tuple[int, Place]] = field(default_factory=list)
    has_empty_continuation: bool = False

    def add(self, piece: str, place: Place) -> None:
        self.pieces.append((len(self.text), place))
        self.text += piece


def logical_lines(source: Source) -> tuple[Directives, tuple[LogicalLine, ...]]:
    """The directives and the instructions' lines of a Dockerfile.

    Raises DockerfileError for a file without instructions and a heredoc without its end.
    """
    if len(source.text) > SIZE_MAX:
        problem = f"the Dockerfile ({source.name}) is bigger than {SIZE_MAX >> 20} MiB"
        raise DockerfileError(problem, Source("", source.name), Place(1))
    if not source.text.strip():
        problem = f"the Dockerfile ({source.name}) cannot be empty"
        raise DockerfileError(problem, source, Place(1))
    source = Source(source.text.removeprefix("\ufeff"), source.name)
    directives = read_directives(source)
    lines = tuple(_Lexer(source, directives).lines())
    if not lines:
        raise DockerfileError("file with no instructions", source, Place(len(source.lines)))
    return directives, lines


class _Lexer:
    def __init__(self, source: Source, directives: Directives) -> None:
        self._source = source
        self._escape = directives.escape
        mark = re.escape(directives.escape)
        # An escaped escape character at the end of a line is a character, no continuation.
        self._continued = re.compile(rf"(?<!{mark}){mark}[ \t]*$")
        self._next = 0  # index into the source's lines
        self._directive_lines = directives.lines

    def lines(self) -> Iterator[LogicalLine]:
        comments: list[str] = []
        while self._next < len(self._source.lines):
            is_directive = self._next < self._directive_lines
            raw = self._take()
            text = raw.lstrip()
            if text.startswith("#"):
                comment = text[1:].strip()
                comments = [*comments, comment] if comment and not is_directive else []
            elif not text:
                comments = []
            elif (line := self._logical(raw, text, tuple(comments))) is not None:
                comments = []
                yield line

    def _take(self) -> str:
        self._next += 1
        return self._source.lines[self._next - 1].removesuffix("\r")

    def _logical(self, raw: str, text: str, comments: tuple[str, ...]) -> LogicalLine | None:
        gathering = _Gathering()
        column = len(raw) - len(text) + 1
        goes_on = self._add(gathering, text, column)
        while goes_on and self._next < len(self._source.lines):
            piece = self._take()
            if piece.lstrip().startswith("#"):
                continue
            if not piece.strip():
                gathering.has_empty_continuation = True
                continue
            goes_on = self._add(gathering, piece, 1)
        if not gathering.text.strip():
            return None
        last_line = self._next
        heredocs = tuple(self._heredocs(gathering, last_line))
        return LogicalLine(
            source=self._source,
            text=gathering.text.rstrip(),
            pieces=tuple(gathering.pieces),
            last_line=self._next,
            escape=self._escape,
            comments=comments,
            heredocs=heredocs,
            has_empty_continuation=gathering.has_empty_continuation,
        )

    def _add(self, gathering: _Gathering, text: str, column: int) -> bool:
        """Add a line; True when it says that the next one belongs to it too."""
        body = self._continued.sub("", text)
        gathering.add(body, Place(self._next, column))
        return body != text

    def _heredocs(self, gathering: _Gathering, last_line: int) -> Iterator[Heredoc]:
        if "<<" not in gathering.text or not _may_have_heredocs(gathering.text):
            return
        first = gathering.pieces[0][1]
        try:
            words = raw_words(gathering.text, self._escape)
        except ExpansionError as error:
            raise DockerfileError(str(error), self._source, first, last_line) from error
        for word in words:
            if announced := parse_heredoc(word):
                yield self._body(announced, first, last_line)

    def _body(self, announced: Heredoc, first: Place, last_line: int) -> Heredoc:
        content: list[str] = []
        while self._next < len(self._source.lines):
            raw = self._source.lines[self._next]
            self._next += 1
            end = raw.removesuffix("\r")
            if (end.lstrip("\t") if announced.strips_tabs else end) == announced.name:
                return Heredoc(
                    name=announced.name,
                    content="".join(f"{line}\n" for line in content),
                    expands=announced.expands,
                    strips_tabs=announced.strips_tabs,
                )
            content.append(raw)
        problem = f"unterminated heredoc: no line is {announced.name} alone"
        raise DockerfileError(problem, self._source, first, last_line)


def _may_have_heredocs(text: str) -> bool:
    """RUN, COPY and ADD may, also behind ONBUILD; not in JSON form."""
    keyword, _, rest = text.lstrip().partition(" ")
    if keyword.upper() == "ONBUILD":
        return _may_have_heredocs(rest)
    return keyword.upper() in _MAY_HAVE_HEREDOCS and not rest.lstrip().startswith("[")


def raw_words(text: str, escape: str, *, lenient: bool = False) -> list[str]:
    """``text`` split at blanks outside of quotes, quotes and escapes kept.

    Raises ExpansionError for a quote without its end; when lenient, such a quote reaches to the
    end of the text, and whoever expands the word will complain.
    """
    words: list[str] = []
    current, quote = "", ""
    characters = iter(text)
    for char in characters:
        if char == escape and quote != "'":
            current += char + next(characters, "")
        elif quote:
            current += char
            quote = "" if char == quote else quote
        elif char in {"'", '"'}:
            current += char
            quote = char
        elif not char.isspace():
            current += char
        elif current:
            words.append(current)
            current = ""
    if quote and not lenient:
        kind = "single" if quote == "'" else "double"
        raise ExpansionError(f"unexpected end of statement while looking for matching {kind}-quote")
    return [*words, current] if current else words
