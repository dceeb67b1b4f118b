"""A command line to its words, as Compose splits it.

Quotes and backslashes as a shell has them, no expansion of anything; an unquoted ``;``, ``&``,
``|``, ``<`` or ``>`` ends the command, since there is no shell that could act on it.
"""

from typing import Final

from knarr.errors import InvalidArgument

_ENDS: Final = frozenset(";&|<>")
_ESCAPES: Final = {"t": "\t", "n": "\n"}
# A quote means nothing while one of these is open.
_HIDES: Final = {
    '"': frozenset("'("), "'": frozenset('"('), "`": frozenset("\"'("),
    "(": frozenset("\"'`("), ")": frozenset("\"'`"),
}  # fmt: skip


def split(line: str) -> list[str]:
    """The words. Raises InvalidArgument for an open quote or a stray parenthesis."""
    words = _Words()
    for character in line:
        if not words.take(character):
            break
    return words.finish()


class _Words:
    def __init__(self) -> None:
        self._words: list[str] = []
        self._word: str | None = None  # None between words
        self._open: set[str] = set()  # of " ' ` and (
        self._escaped = False

    def take(self, character: str) -> bool:
        """One more character; False when the command ends before it."""
        if self._escaped:
            self._add(_ESCAPES.get(character, character))
            self._escaped = False
        elif character == "\\" and "'" not in self._open:
            self._escaped = True
        elif character in " \t\r\n":
            self._space(character)
        elif not self._open and character in _ENDS:
            self._drop_descriptor(character)
            return False
        else:
            self._visible(character)
        return True

    def _space(self, character: str) -> None:
        if self._open:
            self._add(character)
        elif self._word is not None:
            self._words.append(self._word)
            self._word = None

    def _drop_descriptor(self, character: str) -> None:
        """In ``2>file`` the digit belongs to the redirection."""
        if character == ">" and self._word and self._word[0].isdecimal():
            self._word = None

    def _visible(self, character: str) -> None:
        quoting = character in _HIDES and not self._open & _HIDES[character]
        if character == "(" and quoting and not (self._word or "").endswith("$"):
            raise InvalidArgument("invalid command line string")
        if quoting:
            self._open ^= {"(" if character == ")" else character}
        self._add("" if quoting and character in "\"'" else character)

    def _add(self, text: str) -> None:
        self._word = (self._word or "") + text

    def finish(self) -> list[str]:
        if self._escaped or self._open:
            raise InvalidArgument("invalid command line string")
        return self._words if self._word is None else [*self._words, self._word]
