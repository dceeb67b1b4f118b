"""Permission bits as ``--chmod`` says them: octal, or symbolic as chmod(1) has it.

Source: Dockerfile reference, "COPY --chmod"; POSIX chmod, "EXTENDED DESCRIPTION".
"""

import re
from collections.abc import Callable
from typing import Final

from knarr.errors import InvalidArgument

_CLAUSE: Final = re.compile(r"([ugoa]*)((?:[-+=](?:[rwxXst]+|[ugo]|))+)")
_ACTION: Final = re.compile(r"([-+=])([rwxXst]+|[ugo]|)")
_SHIFT: Final = {"u": 6, "g": 3, "o": 0}
_SPECIAL: Final = {"u": 0o4000, "g": 0o2000, "o": 0o1000}

Mode = Callable[[int, bool], int]
"""From a file's bits, and whether it is a directory, to its new ones."""


def mode_change(text: str) -> Mode:
    """What ``text`` does to a file's bits. Raises InvalidArgument."""
    if not text:
        return lambda mode, _: mode
    if re.fullmatch(r"[0-7]+", text):
        bits = int(text, 8)
        if bits > 0o7777:
            raise InvalidArgument(_wrong(text))
        return lambda _mode, _is_directory: bits
    clauses = [_CLAUSE.fullmatch(part) for part in text.split(",")]
    if not all(clauses):
        raise InvalidArgument(_wrong(text))
    changes = [
        (who or "ugo", action[1], action[2])
        for clause in clauses
        if clause is not None
        for who in [clause[1].replace("a", "ugo")]
        for action in _ACTION.finditer(clause[2])
    ]

    def change(mode: int, is_directory: bool) -> int:
        for who, sign, permissions in changes:
            mode = _applied(mode, who, sign, permissions, is_directory=is_directory)
        return mode

    return change


def _wrong(text: str) -> str:
    return f"invalid chmod parameter: '{text}'. it should be octal string and between 0 and 07777"


def _applied(mode: int, who: str, sign: str, permissions: str, *, is_directory: bool) -> int:
    bits = mask = 0
    for each in who:
        shift = _SHIFT[each]
        mask |= 0o7 << shift | _SPECIAL[each]
        bits |= _triple(mode, permissions, is_directory=is_directory) << shift
        if "s" in permissions and each != "o":
            bits |= _SPECIAL[each]
    if "t" in permissions:
        bits |= 0o1000
    match sign:
        case "+":
            return mode | bits
        case "-":
            return mode & ~bits
    kept = mode & 0o6000 if is_directory else 0  # = never takes setgid from a directory
    return (mode & ~mask) | bits | kept


def _triple(mode: int, permissions: str, *, is_directory: bool) -> int:
    if permissions in _SHIFT:
        return mode >> _SHIFT[permissions] & 0o7
    runs = "x" in permissions or ("X" in permissions and (is_directory or mode & 0o111))
    return ("r" in permissions) << 2 | ("w" in permissions) << 1 | int(bool(runs))
