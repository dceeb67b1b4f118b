"""Progress of pull, push, load, build and import: bars on a terminal, plain lines in a pipe.

Source: formats.md, "JSON progress stream"; what docker's own client shows.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable

from knarr.client.lean import Any, Final, TextIO
from knarr.errors import KnarrError
from knarr.units import human_size_precise

_BAR: Final = 50  # columns of a whole bar
_ROOMY, _TIGHT = 110, 50  # columns from which there is room for the bar; for the time left
_CLEAR_LINE: Final = "\x1b[2K"


def show_progress(
    messages: Iterable[dict[str, Any]],
    out: TextIO | None,
    *,
    aux: Callable[[Any], None] | None = None,
) -> None:
    """Show each message; ``out`` None shows nothing. ``aux`` is given the extra objects.

    Raises KnarrError with the engine's words when one of the messages is an error.
    """
    display = _display(out)
    try:
        for message in messages:
            if (error := message.get("errorDetail") or message.get("error")) is not None:
                raise _failure(error)
            if "aux" in message:
                if aux is not None:
                    aux(message["aux"])
                continue
            display(message)
    finally:
        if out is not None:
            out.flush()


def _failure(error: Any) -> KnarrError:
    if isinstance(error, dict):
        return KnarrError(str(error.get("message", "")))
    return KnarrError(str(error))


def _display(out: TextIO | None) -> Callable[[dict[str, Any]], None]:
    if out is None:
        return lambda _: None
    try:
        width = os.get_terminal_size(out.fileno()).columns if out.isatty() else 0
    except (OSError, ValueError):
        width = 0
    if width:
        return _Terminal(out, width).show
    return lambda message: _plain(out, message)


def _plain(out: TextIO, message: dict[str, Any]) -> None:
    detail = message.get("progressDetail") or {}
    if detail.get("current") or detail.get("total"):
        return  # a pipe is told of changes, not of every piece
    out.write(_text(message) + ("" if message.get("stream") else "\n"))


def _text(message: dict[str, Any]) -> str:
    head = f"{message['id']}: " if message.get("id") else ""
    if message.get("stream"):
        return head + str(message["stream"])
    return f"{head}{message.get('status', '')}{_ready_made(message)}"


def _ready_made(message: dict[str, Any]) -> str:
    bar = message.get("progress", "")
    return f" {bar}" if bar and "progressDetail" not in message else ""


class _Terminal:
    """A line for each layer, rewritten where it stands."""

    def __init__(self, out: TextIO, width: int) -> None:
        self._out = out
        self._width = width
        self._lines: dict[str, int] = {}

    def show(self, message: dict[str, Any]) -> None:
        identifier = message.get("id", "")
        up = 0
        if identifier and ("progressDetail" in message or "progress" in message):
            if identifier not in self._lines:
                self._lines[identifier] = len(self._lines)
                self._out.write("\n")
            up = len(self._lines) - self._lines[identifier]
            self._out.write(f"\x1b[{up}A")
        else:
            # Something that is no layer: the lines above are history and stay as they are.
            self._lines.clear()
        self._out.write(self._line(message))
        if identifier and up:
            self._out.write(f"\x1b[{up}B")
        self._out.flush()

    def _line(self, message: dict[str, Any]) -> str:
        detail = message.get("progressDetail")
        if message.get("stream"):
            return str(message["stream"])
        if detail is None:
            return f"{_text(message)}\n"
        return f"{_CLEAR_LINE}\r{_text(message)} {bar(detail, self._width)}\r"


def bar(detail: dict[str, Any], width: int, now: float | None = None) -> str:
    """``[=====>     ]  1.23MB/4.56MB`` and, where it is known, the time left."""
    current, total = detail.get("current", 0), detail.get("total", 0)
    units = detail.get("units", "")

    def amount(count: int) -> str:
        return f"{count} {units}" if units else human_size_precise(count)

    if current <= 0 and total <= 0:
        return ""
    if total <= 0:
        return f"{amount(current):>8}"
    half_percent = min(int(current / total * 100) // 2, _BAR)
    text = ""
    if width > _ROOMY:
        text = f"[{'=' * half_percent}>{' ' * (_BAR - half_percent)}] "
    if not detail.get("hidecounts"):
        numbers = f"{amount(current):>8}"
        text += numbers if current > total else f"{numbers}/{amount(total)}"
    start = detail.get("start", 0)
    if width > _TIGHT and current > 0 and start > 0 and half_percent < _BAR:
        passed = (time.time() if now is None else now) - start
        left = int(passed / current * (total - current))
        text += f" {left // 3600}h{left % 3600 // 60}m{left % 60}s" if left >= 3600 else (
            f" {left // 60}m{left % 60}s" if left >= 60 else f" {left}s"
        )  # fmt: skip
    return text
