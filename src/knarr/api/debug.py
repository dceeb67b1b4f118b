"""A look into a daemon that runs with ``--log-level debug``; without it nobody has these paths.

Docker answers with what Go's runtime tells; here it is Python's, under the same names where there
is something to tell. Source: Engine API, the debug routes of a daemon in debug mode.
"""

import asyncio
import gc
import io
import logging
import resource
import sys
import threading
import traceback
from pathlib import Path
from typing import Any, Final

from knarr.api.router import route
from knarr.errors import NotFound, Unsupported
from knarr.services import Engine

_GOS_OWN: Final = ("profile", "symbol", "trace", "heap", "allocs", "block", "mutex", "threadcreate")
_INDEX: Final = (
    "cmdline: the daemon's command line\ngoroutine: what every task and thread waits for\n"
)
_KIBIBYTE: Final = 1024


def is_debugging() -> bool:
    return logging.getLogger("knarr").isEnabledFor(logging.DEBUG)


@route("GET", "/debug/vars")
async def variables(_engine: Engine) -> dict[str, Any]:
    """The command line, and what memory was at its peak and how often it was collected."""
    _only_when_debugging()
    usage = resource.getrusage(resource.RUSAGE_SELF)
    memory = {
        "Sys": usage.ru_maxrss * _KIBIBYTE,
        "NumGC": sum(each["collections"] for each in gc.get_stats()),
    }
    return {"cmdline": _command_line(), "memstats": memory}


@route("GET", "/debug/pprof/")
async def index(_engine: Engine) -> str:
    """What there is to look at."""
    _only_when_debugging()
    return _INDEX


@route("GET", "/debug/pprof/{name}")
async def profile(_engine: Engine, name: str) -> str:
    """``cmdline`` or ``goroutine``. Raises Unsupported for what only Go's runtime has."""
    _only_when_debugging()
    match name:
        case "cmdline":
            return "\0".join(_command_line())
        case "goroutine":
            return _stacks()
        case _ if name in _GOS_OWN:
            raise Unsupported(f"{name} is of Go's runtime: knarr has goroutine and cmdline")
    raise NotFound(f"unknown profile: {name}")


def _only_when_debugging() -> None:
    if not is_debugging():
        raise NotFound("page not found")


def _command_line() -> list[str]:
    return Path("/proc/self/cmdline").read_text().rstrip("\0").split("\0")


def _stacks() -> str:
    """Every task's stack and every thread's, the way Python prints them."""
    text = io.StringIO()
    for task in asyncio.all_tasks():
        task.print_stack(file=text)
        text.write("\n")
    names = {thread.ident: thread.name for thread in threading.enumerate()}
    for number, frame in sys._current_frames().items():
        text.write(f"Thread {names.get(number, number)}:\n")
        traceback.print_stack(frame, file=text)
        text.write("\n")
    return text.getvalue()
