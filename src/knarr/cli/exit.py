"""How a command ends: the one place that turns meanings into exit codes.

Source: formats.md, "Exit codes"; the docker CLI's own behaviour.
"""

from __future__ import annotations

from knarr.errors import KnarrError

FAILED = 1  # any error of the client or the engine
BAD_TEMPLATE = 64  # a --format that cannot be read
BAD_FLAG = 125  # a bad flag; run and create: the engine or the client failed
NOT_EXECUTABLE = 126  # run: the program is there and cannot be executed
NOT_FOUND = 127  # run: no such program
BY_SIGNAL = 128  # and the signal's number


class Exit(KnarrError):
    """The command ends with this code. ``text`` goes to stderr as it is; empty says nothing."""

    def __init__(self, code: int, text: str = "") -> None:
        super().__init__(text)
        self.code = code


class BadFlag(KnarrError):
    """A flag that is unknown or has an impossible value."""


class BadArguments(KnarrError):
    """Too few or too many arguments; the text names the command and the number."""


class BadTemplate(KnarrError):
    """A --format that cannot be read, in a command that tells this apart from other failures."""


class BadRendering(KnarrError):
    """A --format that can be read, and cannot be carried out: no further document is tried."""


def code_of(error: BaseException) -> int:
    """The exit code for what ended a command."""
    match error:
        case Exit():
            return error.code
        case BadFlag():
            return BAD_FLAG
        case BadTemplate():
            return BAD_TEMPLATE
        case KeyboardInterrupt():
            return BY_SIGNAL + 2
        case _:
            return FAILED


def text_of(error: KnarrError) -> str:
    """What stderr says of it: an engine's own words are marked as such."""
    if error.answered is not None:
        return f"Error response from daemon: {error}"
    return str(error)
