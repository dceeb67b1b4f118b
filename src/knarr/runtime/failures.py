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


# What the runtimes say; ``program`` is the one that was to run.
_RUNC: Final = re.compile(r"unable to start container process: (?P<detail>.*)", re.DOTALL)
_CRUN_MISSING: Final = re.compile(r"executable file `(?P<program>.*)` not found in \$PATH")
_CRUN_OPEN: Final = re.compile(r"open executable: (?P<reason>.*)")
_CRUN_CHDIR: Final = re.compile(r"chdir `(?P<folder>.*)`: (?P<reason>.*)")
_CRUN_EXEC: Final = re.compile(r"exec(?: container process[^`]*`.*`)?: (?P<reason>.*)")


def start_failure(log: str, program: str, *, further: bool) -> StartFailed:
    """The failure that ``log``, a runtime's log in JSON or plain lines, is about.

    program: what was to run. further: in a container that runs already.
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
    """The message as runc words it, which is what Docker passes on."""
    if match := _RUNC.search(message):
        return match["detail"]
    if match := _CRUN_MISSING.match(message):
        if "/" in match["program"]:
            return f'exec: "{program}": stat {program}: no such file or directory'
        return f'exec: "{program}": executable file not found in $PATH'
    if match := _CRUN_OPEN.match(message):
        if not program:
            return 'exec: "": executable file not found in $PATH'
        # crun opens the program for execution, which the kernel refuses to do with a directory.
        is_folder = match["reason"] == "Operation not permitted"
        return f'exec: "{program}": {"is a directory" if is_folder else _small(match["reason"])}'
    if match := _CRUN_CHDIR.match(message):
        folder, reason = match["folder"], _small(match["reason"])
        return f'chdir to cwd ("{folder}") set in config.json failed: {reason}'
    if match := _CRUN_EXEC.match(message):
        return f'exec: "{program}": {_small(match["reason"])}'
    return message


def _small(reason: str) -> str:
    """The C library's words as Go writes them."""
    return reason[:1].lower() + reason[1:]


def _exit_code(detail: str) -> int:
    """As Docker's daemon reads it off the words."""
    if "executable file not found" in detail or "no such file or directory" in detail:
        return _NOT_FOUND
    if "permission denied" in detail or "is a directory" in detail:
        return _NOT_EXECUTABLE
    return _OTHER
