"""What a runtime says when a process does not start, in Docker's words.

Clients match on the words: ``docker run`` exits with 127 or 126 by them.
"""

import re
from typing import Final

import msgspec

from knarr.runtime.model import StartFailed

_RUN: Final = (
    "failed to create task for container: failed to create shim task: OCI runtime create failed: "
    "runc create failed: unable to start container process: "
)
_EXEC: Final = "OCI runtime exec failed: exec failed: unable to start container process: "
_NOT_FOUND: Final = 127
_NOT_EXECUTABLE: Final = 126
_OTHER: Final = 128


class _Line(msgspec.Struct):
    """One line of a runtime's log."""

    msg: str = ""
    level: str = "error"


# The program and the reason, in the words of crun and of runc.
_MISSING_IN_PATH: Final = re.compile(
    r"executable file [`'\"](?P<program>.*?)['\"`] not found in \$PATH"
)
_RUNC_EXEC: Final = re.compile(r"exec: \\?\"(?P<program>.*?)\\?\": (?P<reason>[^:]*)")
_CRUN_OPEN: Final = re.compile(r"open executable(?: [`'\"](?P<program>.*?)['\"`])?: (?P<reason>.*)")


def start_failure(log: str, program: str, *, further: bool) -> StartFailed:
    """The failure that ``log``, a runtime's log in JSON lines, is about.

    program: what was to run, for runtimes that do not say. further: in a running container.
    """
    message = _last_error(log)
    detail = _detail(message, program)
    return StartFailed(f"{_EXEC if further else _RUN}{detail}: unknown", _exit_code(detail))


def _last_error(log: str) -> str:
    messages = [line.msg for line in map(_parse, log.splitlines()) if line.level != "warning"]
    return messages[-1].strip() if messages else "the runtime gave no reason"


def _parse(text: str) -> _Line:
    try:
        return msgspec.json.decode(text, type=_Line)
    except msgspec.DecodeError:
        return _Line(msg=text)


def _detail(message: str, program: str) -> str:
    if match := _MISSING_IN_PATH.search(message):
        return f'exec: "{match["program"]}": executable file not found in $PATH'
    if match := _RUNC_EXEC.search(message):
        return f'exec: "{match["program"]}": {match["reason"]}'
    if match := _CRUN_OPEN.search(message):
        return f'exec: "{match["program"] or program}": {match["reason"].lower()}'
    return message


def _exit_code(detail: str) -> int:
    """As Docker's daemon reads it off the words."""
    if "executable file not found" in detail or "no such file or directory" in detail:
        return _NOT_FOUND
    if "permission denied" in detail or "is a directory" in detail:
        return _NOT_EXECUTABLE
    return _OTHER
