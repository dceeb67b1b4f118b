"""Variables in words: ``$x``, ``${x:-default}``, ``${x%pattern}`` and the rest, quotes removed.

Source: Dockerfile reference, "Environment replacement"; POSIX shell, 2.6.2 for the forms.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

_SPECIAL: Final = frozenset("@*#?-$!")  # special parameters of the shell: names of one character
_ANYTHING: Final = {"*", "?"}
_DIRECT: Final = frozenset("-+?")  # may have a colon in front, then empty counts as unset


class ExpansionError(ValueError):
    """A word that cannot be expanded, and what is wrong with it."""


@dataclass(frozen=True, slots=True)
class Expanded:
    """What became of a word."""

    text: str
    words: tuple[str, ...]  # split at blanks that were neither quoted nor escaped
    found: frozenset[str]  # names that had a value
    missing: frozenset[str]  # names that had none, and nothing to stand in for it


def expand(
    word: str, variables: Mapping[str, str], *, escape: str = "\\", quotes: bool = True
) -> Expanded:
    """``word`` with variables replaced, quotes taken off and escapes resolved.

    quotes: False where quotes are characters like any other, as in a heredoc.
    Raises ExpansionError for quotes or braces without their end, for forms that do not exist and
    for ``${name:?message}`` without a value.
    """
    reader = _Reader(word, variables, escape, quotes)
    try:
        text, words = reader.until(None, raw=False)
    except ExpansionError as error:
        said = json.dumps(word, ensure_ascii=False)
        raise ExpansionError(f"failed to process {said}: {error}") from error
    return Expanded(text, words, frozenset(reader.found), frozenset(reader.missing))


@dataclass(slots=True)
class _Words:
    """Collects characters and splits them at blanks that may split."""

    done: list[str] = field(default_factory=list)
    current: str = ""

    def add(self, text: str) -> None:
        for char in text:
            if not char.isspace():
                self.current += char
            elif self.current:
                self.done.append(self.current)
                self.current = ""

    def add_whole(self, text: str) -> None:
        self.current += text

    def all(self) -> tuple[str, ...]:
        return (*self.done, self.current) if self.current else tuple(self.done)


@dataclass(slots=True)
class _Reader:
    """Reads a word from left to right; ``raw`` keeps escapes for a pattern that comes later."""

    text: str
    variables: Mapping[str, str]
    escape: str
    quotes: bool
    position: int = 0
    found: set[str] = field(default_factory=set)
    missing: set[str] = field(default_factory=set)

    def peek(self) -> str:
        """The next character, empty at the end."""
        return self.text[self.position : self.position + 1]

    def next(self) -> str:
        char = self.peek()
        self.position += 1
        return char

    def until(self, stop: str | None, *, raw: bool) -> tuple[str, tuple[str, ...]]:
        """Everything up to ``stop``, which is consumed, or to the end."""
        result: list[str] = []
        words = _Words()
        while char := self.peek():
            if char == stop:
                self.next()
                return "".join(result), words.all()
            piece = self._piece(char, raw=raw)
            result.append(piece)
            if char == self.escape or (self.quotes and char in {"'", '"'}):
                words.add_whole(piece)
            else:
                words.add(piece)
        if stop is not None:
            raise ExpansionError(
                f"unexpected end of statement while looking for matching {stop}"
                if stop != "}"
                else "syntax error: missing '}'"
            )
        return "".join(result), words.all()

    def _piece(self, char: str, *, raw: bool) -> str:
        match char:
            case "'" if self.quotes:
                return self._single_quoted()
            case '"' if self.quotes:
                return self._double_quoted(raw=raw)
            case "$":
                return self._dollar()
        self.next()
        if char != self.escape:
            return char
        escaped = self.next()  # at the end of the word the escape stands for nothing
        return char + escaped if raw else escaped

    def _single_quoted(self) -> str:
        end = self.text.find("'", self.position + 1)
        if end < 0:
            raise ExpansionError(
                "unexpected end of statement while looking for matching single-quote"
            )
        inside = self.text[self.position + 1 : end]
        self.position = end + 1
        return inside

    def _double_quoted(self, *, raw: bool) -> str:
        self.next()
        result: list[str] = []
        while char := self.peek():
            if char == '"':
                self.next()
                return "".join(result)
            if char == "$":
                result.append(self._dollar())
                continue
            self.next()
            if char == self.escape:
                if raw:
                    result.append(char)
                if not self.peek():
                    break
                if self.peek() in {'"', "$", self.escape}:
                    char = self.next()  # only these can be escaped here, others keep the escape
            result.append(char)
        raise ExpansionError("unexpected end of statement while looking for matching double-quote")

    def _dollar(self) -> str:
        self.next()
        if self.peek() == "{":
            self.next()
            return self._braced()
        name = self._name()
        return (self._value(name) or "") if name else "$"

    def _name(self) -> str:
        if self.peek() in _SPECIAL and self.peek():
            return self.next()
        start = self.position
        digits = self.peek().isdigit()
        while (char := self.peek()) and (
            char.isdigit() if digits else char.isalnum() or char == "_"
        ):
            self.position += 1
        return self.text[start : self.position]

    def _value(self, name: str) -> str | None:
        value = self.variables.get(name)
        (self.missing if value is None else self.found).add(name)
        return value

    def _braced(self) -> str:
        if not self.peek():
            raise ExpansionError("syntax error: missing '}'")
        if self.peek() in {"{", "}", ":"}:
            raise ExpansionError("syntax error: bad substitution")
        name = self._name()
        modifier = self.next()
        if modifier == ":":
            modifier += self.next()
        match modifier:
            case "}":
                return self._value(name) or ""
            case "":
                raise ExpansionError("syntax error: missing '}'")
            case "#" | "%":
                return self._trimmed(name, modifier)
            case "/":
                return self._replaced(name)
            case _ if modifier.removeprefix(":") in _DIRECT:
                return self._defaulted(name, modifier)
            case _:
                raise ExpansionError(f"unsupported modifier ({modifier}) in substitution")

    def _defaulted(self, name: str, modifier: str) -> str:
        word, _ = self.until("}", raw=False)
        value = self._value(name)
        if modifier[-1] in {"-", "+"}:
            self.missing.discard(name)
        empty_is_unset = modifier.startswith(":")
        absent = value is None or (empty_is_unset and not value)
        match modifier[-1]:
            case "-":
                return word if absent else value or ""
            case "+":
                return "" if absent else word
        if absent:
            state = "unset" if value is None else "empty"
            raise ExpansionError(f"{name}: {word or f'is not allowed to be {state}'}")
        return value or ""

    def _trimmed(self, name: str, modifier: str) -> str:
        longest = self.peek() == modifier
        if longest:
            self.next()
        pattern, _ = self.until("}", raw=True)
        value = self._value(name) or ""
        return trim(value, pattern, suffix=modifier == "%", longest=longest)

    def _replaced(self, name: str) -> str:
        everywhere = self.peek() == "/"
        if everywhere:
            self.next()
        try:
            pattern, _ = self.until("/", raw=True)
        except ExpansionError as error:
            raise ExpansionError("syntax error: missing '/' in ${}") from error
        replacement, _ = self.until("}", raw=True)
        value = self._value(name) or ""
        expression = re.compile(_expression(_tokens(pattern), longest=True))
        return expression.sub(lambda _: replacement, value, count=0 if everywhere else 1)


def trim(value: str, pattern: str, *, suffix: bool, longest: bool) -> str:
    """``value`` without the shortest or longest beginning or end that ``pattern`` matches.

    pattern: ``*`` any characters, ``?`` one, both literal behind a backslash.
    """
    tokens = _tokens(pattern)
    if suffix:  # the mirror image of a prefix
        tokens, value = tokens[::-1], value[::-1]
    if match := re.match(_expression(tokens, longest=longest), value):
        value = value[match.end() :]
    return value[::-1] if suffix else value


def _tokens(pattern: str) -> list[str]:
    """The pattern's parts: ``*``, ``?``, and literal characters behind a NUL."""
    tokens: list[str] = []
    characters = iter(pattern)
    for char in characters:
        if char in _ANYTHING:
            tokens.append(char)
            continue
        if char == "\\":
            escaped = next(characters, "")
            if escaped not in {"*", "?", "\\", "}", "/"}:
                raise ExpansionError(
                    f"invalid pattern ({pattern}) in substitution: invalid escape '\\{escaped}'"
                )
            char = escaped
        tokens.append(f"\0{char}")
    return tokens


def _expression(tokens: list[str], *, longest: bool) -> str:
    anything = ".*" if longest else ".*?"
    return "".join(
        anything if token == "*" else "." if token == "?" else re.escape(token[1:])
        for token in tokens
    )
