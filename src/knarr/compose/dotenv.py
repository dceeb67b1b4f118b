"""Files of variables: ``.env``, ``--env-file`` and a service's ``env_file``.

A line is ``[export ]NAME=value`` (or ``NAME: value``), or a bare NAME that is passed on from
outside. Unquoted values end at the line's end or at `` #``; double quotes allow escapes, variables
and line breaks; single quotes mean what they say. The format ``raw`` has no quotes or variables.
Source: Compose Specification, env_file, "Env_file format"; godotenv as Compose uses it.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Final

from knarr.compose.interpolation import substitute
from knarr.errors import InvalidArgument

_SPACE: Final = "\t\v\f\r \x85\xa0"  # white space within a line
_EXPORT: Final = re.compile(r"export\s+")
_NAME_END: Final = re.compile(r"[=:\n]")
_NAME_PUNCTUATION: Final = frozenset("_.-[]" + _SPACE)
_ESCAPE: Final = re.compile(r"\\(?:[abcfnrtv$\"\\]|0\d{0,3})")
_ESCAPED: Final = {
    "a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v",
    '"': '"', "\\": "\\",
    "$": "$$",  # the expansion that follows makes it one dollar
}  # fmt: skip
_OCTAL: Final = re.compile(r"\\0([0-3][0-7]{2})")


def parse(
    text: str,
    outer: Mapping[str, str],
    before: Mapping[str, str] | None = None,
    unset: Callable[[str], None] = lambda _: None,
) -> dict[str, str]:
    """The variables of a file, in order.

    outer: where bare names and variables in values are looked up first.
    before: variables of earlier files, looked up after those.
    unset: hears of each variable in a value that became blank.
    Raises InvalidArgument with the line.
    """
    scope = {**(before or {}), **outer}
    return _Parser(text.removeprefix("\ufeff"), outer, scope, unset).parse()


class _Parser:
    def __init__(
        self,
        text: str,
        outer: Mapping[str, str],
        scope: dict[str, str],
        unset: Callable[[str], None],
    ) -> None:
        self._text = text
        self._position = 0
        self._outer = outer
        self._scope = scope
        self._unset = unset

    def parse(self) -> dict[str, str]:
        found: dict[str, str] = {}
        while self._seek_statement():
            name, inherited = self._name()
            if not inherited:
                found[name] = self._value()
            elif name in self._outer:
                found[name] = self._outer[name]
            if name in found and name not in self._outer:  # outside has the last word
                self._scope[name] = found[name]
        return found

    @property
    def _line(self) -> int:
        return self._text.count("\n", 0, self._position) + 1

    def _seek_statement(self) -> bool:
        """Past white space and comments; False at the end of the file."""
        while self._position < len(self._text):
            character = self._text[self._position]
            if character == "#":
                end = self._text.find("\n", self._position)
                self._position = len(self._text) if end < 0 else end
            elif not character.isspace():
                return True
            else:
                self._position += 1
        return False

    def _name(self) -> tuple[str, bool]:
        """The name, and whether its value comes from outside; the position is then its value's."""
        if export := _EXPORT.match(self._text, self._position):
            self._position = export.end()
        end = _NAME_END.search(self._text, self._position)
        stop = end.start() if end else len(self._text)
        written = self._text[self._position : stop]
        for character in written:
            if not (character.isalpha() or character.isnumeric() or character in _NAME_PUNCTUATION):
                rest = self._text[self._position :].split("\n", 1)[0]
                raise InvalidArgument(
                    f'line {self._line}: unexpected character "{character}"'
                    f' in variable name "{rest}"'
                )
        name = written.rstrip()
        if " " in name:
            raise InvalidArgument(f"line {self._line}: key cannot contain a space")
        self._position = end.end() if end else stop
        inherited = end is None or end[0] == "\n"
        if not inherited:
            while self._text[self._position : self._position + 1] in tuple(_SPACE):
                self._position += 1
        return name, inherited

    def _value(self) -> str:
        quote = self._text[self._position : self._position + 1]
        if quote in ("'", '"'):
            return self._quoted(quote)
        end = self._text.find("\n", self._position)
        stop = len(self._text) if end < 0 else end
        value = self._text[self._position : stop].partition(" #")[0].rstrip()
        self._position = min(stop + 1, len(self._text))
        return self._expanded(value)

    def _quoted(self, quote: str) -> str:
        characters: list[str] = []
        position = self._position + 1
        while position < len(self._text):
            character = self._text[position]
            if character == quote:
                self._position = position + 1
                return self._unquoted("".join(characters), quote)
            following = self._text[position + 1 : position + 2]
            if character == "\\" and following:
                characters.append(following if following == quote else character + following)
                position += 2
            else:
                characters.append(character)
                position += 1
        rest = self._text[self._position :].split("\n", 1)[0]
        raise InvalidArgument(f"line {self._line}: unterminated quoted value {rest}")

    def _unquoted(self, value: str, quote: str) -> str:
        return self._expanded(_ESCAPE.sub(_escaped, value)) if quote == '"' else value

    def _expanded(self, value: str) -> str:
        return substitute(value, self._scope, self._unset)


def _escaped(match: re.Match[str]) -> str:
    sequence = match[0]
    if octal := _OCTAL.fullmatch(sequence):
        return chr(int(octal[1], 8))
    return _ESCAPED.get(sequence[1], sequence)


def parse_raw(text: str, outer: Mapping[str, str]) -> dict[str, str]:
    """The variables of a file without quotes and expansion, as ``docker run --env-file`` has it."""
    return dict(_raw_pairs(text, outer))


def _raw_pairs(text: str, outer: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    for number, line in enumerate(text.removeprefix("\ufeff").splitlines(), start=1):
        stripped = line.lstrip()
        if not stripped or stripped.startswith("#"):
            continue
        name, equals, value = stripped.partition("=")
        if not name:
            raise InvalidArgument(f"no variable name on line '{line}'")
        if any(character.isspace() for character in name):
            raise InvalidArgument(f"line {number}: variable '{name}' contains whitespaces")
        if equals:
            yield name, value
        elif name in outer:
            yield name, outer[name]
