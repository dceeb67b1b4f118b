"""How the progress of a project is shown: lines, a block that is redrawn, JSON, or not at all."""

from __future__ import annotations

import json
import os
import threading
import time
from typing import Final, Protocol, TextIO

from knarr.compose.report import Progress, State
from knarr.errors import InvalidArgument

MODES: Final = ("auto", "tty", "plain", "json", "quiet")
_SPINNER: Final = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"
_FRAME_S: Final = 0.1
_MARKS: Final = {State.DONE: "✔", State.WARNING: "!", State.ERROR: "✘"}
_COLOURS: Final = {State.DONE: "32", State.WARNING: "33", State.ERROR: "31", State.WORKING: "36"}


class Display(Protocol):
    """May be told from several threads."""

    def __call__(self, progress: Progress) -> None: ...

    def close(self) -> None: ...


def display(mode: str, out: TextIO, *, colour: bool, dry_run: bool = False) -> Display:
    """The display of a mode. Raises InvalidArgument for one that there is not."""
    match mode:
        case "" | "auto":
            return _Block(out, dry_run) if colour and out.isatty() else _Lines(out, dry_run)
        case "tty":
            return _Block(out, dry_run)
        case "plain":
            return _Lines(out, dry_run)
        case "json":
            return _Json(out, dry_run)
        case "quiet":
            return _Silent()
    raise InvalidArgument(f'unsupported --progress value "{mode}"')


class _Silent:
    def __call__(self, progress: Progress) -> None:
        pass

    def close(self) -> None:
        pass


class _Lines:
    """A line for each change."""

    def __init__(self, out: TextIO, dry_run: bool) -> None:
        self._out = out
        self._mark = "DRY-RUN MODE -  " if dry_run else ""
        self._lock = threading.Lock()

    def __call__(self, progress: Progress) -> None:
        detail = f" {progress.detail}" if progress.detail else ""
        with self._lock:
            self._out.write(f" {self._mark}{progress.subject}  {progress.text}{detail}\n")
            self._out.flush()

    def close(self) -> None:
        pass


class _Json:
    """An object for each change, one a line."""

    def __init__(self, out: TextIO, dry_run: bool) -> None:
        self._out = out
        self._dry_run = dry_run
        self._lock = threading.Lock()

    def __call__(self, progress: Progress) -> None:
        shown = {
            "dry-run": self._dry_run or None,
            "id": progress.subject,
            "parent_id": progress.parent or None,
            "status": progress.state.value,
            "text": progress.text,
            "details": progress.detail or None,
            "current": progress.current or None,
            "total": progress.total or None,
        }
        text = json.dumps({key: value for key, value in shown.items() if value is not None})
        with self._lock:
            self._out.write(text + "\n")
            self._out.flush()

    def close(self) -> None:
        pass


class _Entry:
    """A line of the block."""

    __slots__ = ("began", "ended", "progress")

    def __init__(self, progress: Progress) -> None:
        self.progress = progress
        self.began = time.monotonic()
        self.ended = 0.0


class _Block:
    """A line for each thing, all of them redrawn where they stand."""

    def __init__(self, out: TextIO, dry_run: bool) -> None:
        self._out = out
        self._mark = "DRY-RUN MODE -  " if dry_run else ""
        self._entries: dict[str, _Entry] = {}
        self._drawn = 0
        self._frame = 0
        self._lock = threading.Lock()
        self._closed = threading.Event()
        self._thread: threading.Thread | None = None

    def __call__(self, progress: Progress) -> None:
        with self._lock:
            entry = self._entries.setdefault(progress.subject, _Entry(progress))
            entry.progress = progress
            entry.ended = 0.0 if progress.state is State.WORKING else time.monotonic()
            if self._thread is None:
                self._thread = threading.Thread(target=self._animate, daemon=True)
                self._thread.start()

    def close(self) -> None:
        self._closed.set()
        if self._thread is not None:
            self._thread.join()
            with self._lock:
                self._draw()
        self._entries.clear()
        self._drawn = 0
        self._thread = None
        self._closed = threading.Event()

    def _animate(self) -> None:
        while not self._closed.wait(_FRAME_S):
            with self._lock:
                self._frame += 1
                self._draw()

    def _draw(self) -> None:
        width, height = self._size()
        entries = list(self._entries.values())[-(height - 2) :]
        done = sum(each.progress.state is not State.WORKING for each in self._entries.values())
        lines = [f"[+] {self._mark}Running {done}/{len(self._entries)}"]
        longest = max((len(each.progress.subject) for each in entries), default=0)
        lines += [self._line(each, longest, width) for each in entries]
        up = f"\x1b[{self._drawn}A" if self._drawn else ""
        self._out.write(up + "".join(f"\x1b[2K{line}\n" for line in lines))
        self._out.flush()
        self._drawn = len(lines)

    def _size(self) -> tuple[int, int]:
        try:
            size = os.get_terminal_size(self._out.fileno())
        except (OSError, ValueError):
            return 80, 24
        return size.columns or 80, size.lines or 24

    def _line(self, entry: _Entry, longest: int, width: int) -> str:
        progress = entry.progress
        mark = _MARKS.get(progress.state, _SPINNER[self._frame % len(_SPINNER)])
        detail = f" {progress.detail}" if progress.detail else ""
        text = f" {self._mark}{progress.subject:<{longest}}  {progress.text}{detail}"
        passed = f"{(entry.ended or time.monotonic()) - entry.began:.1f}s "
        text = text.replace("\n", " ")[: max(0, width - len(passed) - 4)]
        gap = " " * max(1, width - len(text) - len(passed) - 3)
        colour = _COLOURS[progress.state]
        return f" \x1b[{colour}m{mark}\x1b[0m{text}{gap}\x1b[34m{passed}\x1b[0m"
