"""What an instruction is parsed from: its keyword, flags and arguments, in each of their forms.

Every refusal knows its place in the file; the wording is that of Docker's own parser.
"""

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Final, Self

from knarr.dockerfile.lexer import Heredoc, LogicalLine, raw_words
from knarr.dockerfile.source import DockerfileError, suggestion

_SPACES: Final = re.compile(r"[\t\v\f\r ]+")


@dataclass(frozen=True, slots=True)
class Flag:
    """``--name=value`` in front of the arguments; ``value`` is None without an equals sign."""

    name: str
    value: str | None
    offset: int


@dataclass(frozen=True, slots=True)
class Pair:
    """``KEY=value``, or ``KEY value`` in the old form; ``value`` is None where only KEY stands."""

    key: str
    value: str | None
    legacy: bool = False


@dataclass(frozen=True, slots=True)
class Command:
    """What to run: a program and its arguments (JSON form), or one text for a shell."""

    words: tuple[str, ...]
    exec_form: bool
    heredocs: tuple[Heredoc, ...] = ()

    def argv(self, shell: tuple[str, ...]) -> tuple[str, ...]:
        """The program and its arguments; the shell form's text is the last one of its shell."""
        return self.words if self.exec_form else (*shell, " ".join(self.words))


@dataclass(frozen=True, slots=True)
class Options:
    """An instruction's flags, each by its kind."""

    texts: Mapping[str, str] = field(default_factory=dict)
    booleans: Mapping[str, bool] = field(default_factory=dict)
    lists: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One instruction's keyword, flags and the rest of its line."""

    logical: LogicalLine
    keyword: str  # as it is written
    flags: tuple[Flag, ...]
    rest: str
    rest_offset: int

    @classmethod
    def of(cls, logical: LogicalLine, offset: int = 0) -> Self:
        """The instruction that begins at ``offset``: 0, or what stands behind ONBUILD."""
        text = logical.text
        offset += len(text[offset:]) - len(text[offset:].lstrip())
        keyword = _SPACES.split(text[offset:], maxsplit=1)[0]
        rest_offset = offset + len(keyword)
        flags, rest_offset = _flags(text, _skip_spaces(text, rest_offset), logical.escape)
        return cls(
            logical=logical,
            keyword=keyword,
            flags=tuple(flags),
            rest=text[rest_offset:].strip(),
            rest_offset=rest_offset,
        )

    @property
    def name(self) -> str:
        """The instruction's name as the reference writes it: RUN."""
        return self.keyword.upper()

    def error(self, problem: str, offset: int | None = None) -> DockerfileError:
        """A refusal that points at ``offset`` in the logical line, or at its beginning."""
        place = self.logical.place(offset or 0)
        return DockerfileError(problem, self.logical.source, place, self.logical.last_line)

    def flag_offset(self, name: str) -> int:
        """Where the flag stands, for an error about it."""
        return next((flag.offset for flag in self.flags if flag.name == name), 0)

    def behind(self, word: str) -> Self:
        """The line as if ``word``, with which the rest begins, belonged to its keyword."""
        offset = _skip_spaces(self.logical.text, self.rest_offset + len(word))
        return replace(self, rest=self.logical.text[offset:].strip(), rest_offset=offset)

    # Arguments, form by form

    def words(self) -> tuple[str, ...]:
        """The arguments split at blanks; quotes mean nothing here."""
        return tuple(_SPACES.split(self.rest)) if self.rest else ()

    def only_word(self) -> str:
        """The whole rest as the one argument."""
        if not self.rest:
            raise self.error(f"{self.name} requires exactly one argument")
        return self.rest

    def json(self) -> tuple[str, ...] | None:
        """The arguments of the JSON form; None where the rest is no JSON array."""
        if not self.rest.startswith("["):
            return None
        try:
            parsed = json.loads(self.rest)
        except ValueError:
            return None  # falls back to the shell form, as the reference says
        if not all(isinstance(each, str) for each in parsed):
            raise self.error(
                "when using JSON array syntax, arrays must be comprised of strings only",
                self.rest_offset,
            )
        return tuple(parsed)

    def words_or_json(self) -> tuple[str, ...]:
        words = self.json()
        return self.words() if words is None else words

    def command(self) -> Command:
        words = self.json()
        if words is not None:
            return Command(words, exec_form=True, heredocs=self.logical.heredocs)
        text = (self.rest,) if self.rest else ()
        return Command(text, exec_form=False, heredocs=self.logical.heredocs)

    def pairs(self) -> tuple[Pair, ...]:
        """``KEY=value ...`` or, where the first word has no equals sign, ``KEY value``."""
        words = self._quoted_words()
        if not words:
            raise self.error(f"{self.name} requires at least one argument")
        if "=" not in words[0]:
            key, *values = _SPACES.split(self.rest, maxsplit=1)
            if not values:
                raise self.error(f"{self.name} must have two arguments")
            return (Pair(key, values[0], legacy=True),)
        return tuple(self._pair(word) for word in words)

    def _pair(self, word: str) -> Pair:
        key, equals, value = word.partition("=")
        if not equals:
            raise self.error(
                f'Syntax error - can\'t find = in "{word}". Must be of the form: name=value',
                self.rest_offset,
            )
        return self._named(Pair(key, value))

    def names_or_pairs(self) -> tuple[Pair, ...]:
        """``NAME`` or ``NAME=value``, any number of them."""
        words = self._quoted_words()
        if not words:
            raise self.error(f"{self.name} requires at least one argument")
        parts = (word.partition("=") for word in words)
        return tuple(
            self._named(Pair(key, value if equals else None)) for key, equals, value in parts
        )

    def _named(self, pair: Pair) -> Pair:
        if not pair.key:
            raise self.error(f"{self.name} names can not be blank", self.rest_offset)
        return pair

    def _quoted_words(self) -> tuple[str, ...]:
        return tuple(raw_words(self.rest, self.logical.escape, lenient=True))

    # Flags

    def no_flags(self) -> None:
        self.options()

    def options(
        self,
        *,
        texts: Iterable[str] = (),
        booleans: Iterable[str] = (),
        lists: Iterable[str] = (),
    ) -> Options:
        """The flags, each of which must be among those named. Raises DockerfileError."""
        texts, booleans, lists = tuple(texts), tuple(booleans), tuple(lists)
        known = (*texts, *booleans, *lists)
        text: dict[str, str] = {}
        boolean: dict[str, bool] = {}
        collected: dict[str, tuple[str, ...]] = {}
        for flag in self.flags:
            if flag.name not in known:
                hint = suggestion(flag.name, known)
                raise self.error(f"unknown flag: --{flag.name}{hint}", flag.offset)
            if flag.name in text or flag.name in boolean:
                raise self.error(f"Duplicate flag specified: {flag.name}", flag.offset)
            if flag.name in booleans:
                boolean[flag.name] = self._boolean(flag)
            elif flag.value is None:
                raise self.error(f"Missing a value on flag: {flag.name}", flag.offset)
            elif flag.name in texts:
                text[flag.name] = flag.value
            else:
                collected[flag.name] = (*collected.get(flag.name, ()), flag.value)
        return Options(text, boolean, collected)

    def _boolean(self, flag: Flag) -> bool:
        match (flag.value or "true").lower():
            case "true":
                return True
            case "false":
                return False
        problem = f"Expecting boolean value for flag {flag.name}, not: {flag.value}"
        raise self.error(problem, flag.offset)


def _skip_spaces(text: str, offset: int) -> int:
    while offset < len(text) and text[offset].isspace():
        offset += 1
    return offset


def _flags(text: str, offset: int, escape: str) -> tuple[list[Flag], int]:
    """The flags from ``offset`` on, and where the arguments begin. ``--`` alone ends the flags."""
    flags: list[Flag] = []
    while text.startswith("--", offset):
        word, end = _unquoted_word(text, offset, escape)
        if word == "--":
            return flags, _skip_spaces(text, end)
        name, equals, value = word[2:].partition("=")
        flags.append(Flag(name, value if equals else None, offset))
        offset = _skip_spaces(text, end)
    return flags, offset


def _unquoted_word(text: str, offset: int, escape: str) -> tuple[str, int]:
    """The word at ``offset`` without its quotes, and where it ends."""
    word, quote = "", ""
    while offset < len(text):
        char = text[offset]
        if char == escape and quote != "'" and offset + 1 < len(text):
            offset += 1
            word += text[offset]
        elif quote:
            word, quote = (word, "") if char == quote else (word + char, quote)
        elif char in {"'", '"'}:
            quote = char
        elif char.isspace():
            break
        else:
            word += char
        offset += 1
    return word, offset
