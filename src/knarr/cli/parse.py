"""Command lines as Docker's parser (pflag) reads them: clusters, ``-p80:80``, ``--rm=false``."""

from __future__ import annotations

from knarr.cli.exit import BadFlag
from knarr.client.lean import TYPE_CHECKING
from knarr.errors import InvalidArgument
from knarr.quoting import quoted

if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

    from knarr.cli.command import Option


class Parsed:
    """What a command line says: values by parameter, arguments, whether help was asked for."""

    __slots__ = ("arguments", "help", "values", "warnings")

    def __init__(self) -> None:
        self.arguments: list[str] = []
        self.values: dict[str, Any] = {}
        self.help = False
        self.warnings: list[str] = []


def parse(words: list[str], options: Iterable[Option], *, interspersed: bool = True) -> Parsed:
    """Raises BadFlag with Docker's sentence for what cannot be read."""
    return _Parser(options).parse(words, interspersed)


class _Parser:
    def __init__(self, options: Iterable[Option]) -> None:
        self.parsed = Parsed()
        self._long: dict[str, Option] = {}
        self._short: dict[str, Option] = {}
        for option in options:
            for name in (option.name, *option.flag.also, *option.flag.deprecated):
                self._long[name] = option
            if option.flag.short:
                self._short[option.flag.short[1]] = option

    def parse(self, words: list[str], interspersed: bool) -> Parsed:
        left = list(reversed(words))
        while left:
            word = left.pop()
            if word == "--":
                break
            if not word.startswith("-") or word == "-":
                self.parsed.arguments.append(word)
                if not interspersed:
                    break
            elif word.startswith("--"):
                self._read_long(word, left)
            else:
                self._read_cluster(word[1:], left)
        self.parsed.arguments += reversed(left)
        return self.parsed

    def _read_long(self, word: str, left: list[str]) -> None:
        name, equals, value = word[2:].partition("=")
        if not name or name.startswith("-"):
            raise BadFlag(f"bad flag syntax: {word}")
        option = self._long.get(name)
        if option is None:
            if name != "help":
                raise BadFlag(f"unknown flag: --{name}")
            self.parsed.help = value not in ("false", "0", "f")
            return
        if not equals:
            if option.kind.bare is not None:
                value = option.kind.bare
            elif left:
                value = left.pop()
            else:
                raise BadFlag(f"flag needs an argument: --{name}")
        if name in option.flag.deprecated:
            self.parsed.warnings.append(
                f"Flag --{name} has been deprecated, use --{option.name} instead"
            )
        self._set(option, value)

    def _read_cluster(self, letters: str, left: list[str]) -> None:
        while letters:
            letter, rest = letters[0], letters[1:]
            option = self._short.get(letter)
            if option is None:
                if letter != "h":
                    raise BadFlag(f"unknown shorthand flag: '{letter}' in -{letters}")
                self.parsed.warnings.append("Flag shorthand -h has been deprecated, use --help")
                self.parsed.help = True
                letters = rest
                continue
            if rest.startswith("="):
                value, rest = rest[1:], ""
            elif option.kind.bare is not None:
                value = option.kind.bare
            elif rest:
                value, rest = rest, ""
            elif left:
                value = left.pop()
            else:
                raise BadFlag(f"flag needs an argument: '{letter}' in -{letters}")
            self._set(option, value)
            letters = rest

    def _set(self, option: Option, text: str) -> None:
        try:
            value = option.kind.read(text)
        except InvalidArgument as error:
            raise BadFlag(
                f'invalid argument {quoted(text)} for "{option.spelling}" flag: {error}'
            ) from error
        if option.repeated:
            value = (*self.parsed.values.get(option.parameter, ()), value)
        self.parsed.values[option.parameter] = value
