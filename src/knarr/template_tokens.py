"""What a template is made of, as it is read: texts, and actions as tokens.

Source: the documentation of Go's text/template.
"""

from __future__ import annotations

import re

from knarr.errors import KnarrError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Final

_ACTION: Final = re.compile(r"\{\{(?:- |-(?=\n|\t|\r))?")
_TOKEN: Final = re.compile(
    r"""(?P<space>[ \t\r\n]+)
      | (?P<string>"(?:[^"\\\n]|\\.)*")
      | (?P<raw>`[^`]*`)
      | (?P<char>'(?:[^'\\\n]|\\.)+')
      | (?P<number>[+-]?(?:0[xX][0-9a-fA-F_]+|0[bB][01_]+|0[oO][0-7_]+
            |(?:\d[\d_]*)?\.?\d[\d_]*\.?(?:[eE][+-]?\d+)?))
      | (?P<field>\.[^\W\d]\w*)
      | (?P<dot>\.)
      | (?P<variable>\$\w*)
      | (?P<word>[^\W\d]\w*)
      | (?P<declare>:=)
      | (?P<mark>[=|(),])
    """,
    re.VERBOSE,
)


class TemplateError(KnarrError):
    """The template cannot be read, or cannot be carried out; the text is Go's."""


class TemplateSyntaxError(TemplateError):
    """The template cannot be read."""


class Token:
    __slots__ = ("kind", "line", "place", "text")

    def __init__(self, kind: str, text: str, line: int, place: int) -> None:
        self.kind = kind
        self.text = text
        self.line = line
        self.place = place  # where it begins in its line, from 0


def lexed(source: str, name: str) -> Iterator[str | list[Token]]:
    """Texts and actions in turn, the trim markers obeyed and comments gone."""
    place, trim = 0, False
    while True:
        start = _ACTION.search(source, place)
        text = source[place : start.start() if start else len(source)]
        if trim:
            text = text.lstrip(" \t\r\n")
        if start is None:
            yield text
            return
        if start.group() != "{{":
            text = text.rstrip(" \t\r\n")
        yield text
        place = start.end()
        comment = re.compile(r"\s*/\*.*?\*/(?P<trim>\s-)?\}\}", re.DOTALL).match(source, place)
        if comment:
            place, trim = comment.end(), bool(comment["trim"])
            continue
        tokens, place, trim = _action(source, place, name)
        yield tokens


def _action(source: str, place: int, name: str) -> tuple[list[Token], int, bool]:
    tokens: list[Token] = []
    while True:
        if end := re.compile(r"(?:[ \t\r\n]-)?\}\}").match(source, place):
            return tokens, end.end(), len(end.group()) > 2
        line = source.count("\n", 0, place) + 1
        found = _TOKEN.match(source, place)
        if found is None:
            raise TemplateSyntaxError(f"template: {name}:{line}: {_unreadable(source, place)}")
        kind = found.lastgroup or ""
        begin = source.rfind("\n", 0, place) + 1
        if kind != "space":
            tokens.append(Token(kind, found.group(), line, place - begin))
        elif tokens and tokens[-1].kind != "space":
            tokens.append(Token("space", " ", line, place - begin))
        place = found.end()


def _unreadable(source: str, place: int) -> str:
    rest = source[place:]
    if not rest:
        return "unclosed action"
    named = {'"': "unterminated quoted string", "`": "unterminated raw quoted string",
             "'": "unterminated character constant"}  # fmt: skip
    letter = rest[0]
    return named.get(letter, f"unexpected {quoted(letter)} in operand")


def quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


class Tokens:
    """The tokens of one action, read from the left; spaces matter only before a field."""

    def __init__(self, tokens: list[Token]) -> None:
        self._tokens = tokens
        self._place = 0
        self.depth = 0  # of parentheses
        self.last: Token | None = None

    def _skip(self) -> None:
        while self._place < len(self._tokens) and self._tokens[self._place].kind == "space":
            self._place += 1

    def peek(self) -> Token | None:
        self._skip()
        return self._tokens[self._place] if self._place < len(self._tokens) else None

    def next(self) -> Token | None:
        self.last = self.peek()
        self._place += self.last is not None
        return self.last

    def adjacent_field(self) -> Token | None:
        if self._place < len(self._tokens) and self._tokens[self._place].kind == "field":
            self._place += 1
            return self._tokens[self._place - 1]
        return None

    def rest_text(self) -> str:
        """What is left, as it was written, up to a parenthesis that closes more than was opened."""
        words, depth = [], 0
        for token in self._tokens[self._place :]:
            depth += (token.text == "(") - (token.text == ")")
            if depth < 0:
                break
            words.append(token.text)
        return "".join(words).strip()

    def declarations(self, *, two: bool) -> tuple[list[str], str]:
        """``$x :=``, ``$i, $e :=`` (in range), ``$x =``; nothing is taken where none stands."""
        before = self._place
        names: list[str] = []
        while (token := self.next()) is not None and token.kind == "variable":
            names.append(token.text)
            mark = self.next()
            if mark is not None and mark.text in (":=", "="):
                return names, mark.text
            if mark is None or mark.text != "," or not two or len(names) == 2:
                break
        self._place = before
        return [], ""


_ESCAPE: Final = re.compile(r"\\(x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}|[0-7]{3}|.)")
_LETTERS: Final = {"a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}


def unquoted(text: str) -> str:
    def letter(match: re.Match[str]) -> str:
        code = match[1]
        if code[0] in "xuU" and len(code) > 1:
            return chr(int(code[1:], 16))
        if code.isdecimal() and len(code) == 3:
            return chr(int(code, 8))
        return _LETTERS.get(code, code)

    return _ESCAPE.sub(letter, text)
