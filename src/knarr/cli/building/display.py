"""The steps of a build, shown while they are done: live on a terminal, as lines in a pipe.

What the engine tells are BuildTrace documents. Times are the engine's own.
"""

from __future__ import annotations

import base64
import os
import re
import time
from collections import deque
from collections.abc import Mapping
from typing import Any, Final, Protocol, TextIO

from knarr.client.lean import dumps

TRACE: Final = "knarr.build.trace"
_TAIL_LINES: Final = 6  # of a running step, on a terminal
_FAILED_LINES: Final = 20  # of a failed one, at the end
_SECOND_NS: Final = 1_000_000_000
_REDRAW_S: Final = 0.1
_SLOW_S: Final = 1.0  # steps that took longer are told of at the end
_ESCAPES: Final = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|\r(?!\n)|\x1b.")


class StepView:
    """What is known of one step."""

    def __init__(self, number: int, total: int, stage: str, text: str) -> None:
        self.number, self.total, self.stage, self.text = number, total, stage, text
        self.state = "planned"
        self.why = ""
        self.started_ns = self.ended_ns = 0
        self.error = ""
        self.partial = ""  # a line that has not ended
        self.tail = deque[str](maxlen=_FAILED_LINES)

    @property
    def title(self) -> str:
        one_line = " ".join(self.text.split())
        return f"[{self.stage} {self.number}/{self.total}] {one_line}"

    def seconds(self, now_ns: int = 0) -> float:
        if not self.started_ns:
            return 0.0
        return ((self.ended_ns or now_ns or self.started_ns) - self.started_ns) / _SECOND_NS

    def lines(self, chunk: bytes) -> list[str]:
        """Whole lines of what the step writes, without what moves a cursor."""
        text = self.partial + _ESCAPES.sub("", chunk.decode(errors="replace"))
        *whole, self.partial = text.split("\n")
        self.tail.extend(whole)
        return whole


class Steps:
    """All steps, changed by each trace."""

    def __init__(self) -> None:
        self.by_number: dict[int, StepView] = {}

    def take(self, trace: Mapping[str, Any]) -> tuple[StepView, list[str]]:
        """The step that the trace is about, and the lines that it wrote."""
        number = trace.get("Number", 0)
        state = trace.get("State", "")
        step = self.by_number.get(number)
        if step is None:
            step = StepView(
                number, trace.get("Total", 0), trace.get("Stage", ""), trace.get("Text", "")
            )
            self.by_number[number] = step
        if state == "output":
            return step, step.lines(base64.b64decode(trace.get("Data", "")))
        step.state = state
        if state == "started":
            step.started_ns, step.why = trace.get("TimeNano", 0), trace.get("Why", "")
        elif state in {"done", "failed"}:
            step.ended_ns = trace.get("TimeNano", 0)
        if state == "failed":
            step.error = trace.get("Text", "")
        return step, []

    @property
    def failed(self) -> StepView | None:
        return next((each for each in self.by_number.values() if each.state == "failed"), None)


class Display(Protocol):
    """Shows traces and whatever else is told."""

    def trace(self, trace: Mapping[str, Any]) -> None: ...
    def message(self, text: str) -> None: ...
    def end(self) -> None: ...


class Plain:
    """Lines, each with its step's number in front."""

    def __init__(self, steps: Steps, out: TextIO, *, explain: bool = False) -> None:
        self._steps = steps
        self._out = out
        self._explain = explain

    def trace(self, trace: Mapping[str, Any]) -> None:
        step, lines = self._steps.take(trace)
        match step.state:
            case "started" if lines or trace.get("State") == "output":
                for line in lines:
                    seconds = (trace.get("TimeNano", 0) - step.started_ns) / _SECOND_NS
                    self._line(step, f"{seconds:.3f} {line}")
            case "started":
                self._line(step, step.title)
                if step.why:
                    self._line(step, f"done again: {step.why}")
            case "cached":
                self._line(step, step.title)
                self._line(step, "CACHED")
            case "done":
                self._rest(step)
                self._line(step, f"DONE {step.seconds():.1f}s")
            case "failed":
                self._rest(step)
                self._line(step, f"ERROR: {step.error.splitlines()[0] if step.error else ''}")
        self._out.flush()

    def _rest(self, step: StepView) -> None:
        if step.partial:
            self._line(step, step.partial)
            step.partial = ""

    def _line(self, step: StepView, text: str) -> None:
        self._out.write(f"#{step.number} {text}\n")

    def message(self, text: str) -> None:
        self._out.write(text if text.endswith("\n") else f"{text}\n")
        self._out.flush()

    def end(self) -> None:
        self._out.flush()


class Terminal:
    """The steps that are under way, with the tail of what they write, redrawn in place."""

    def __init__(self, steps: Steps, out: TextIO, *, explain: bool = False) -> None:
        self._steps = steps
        self._out = out
        self._explain = explain
        self._drawn = 0  # lines on the screen that will be drawn over
        self._shown: set[int] = set()  # steps that are history and scroll away
        self._next_s = 0.0
        self._offset_ns: int | None = None  # of the engine's clock against this one

    def trace(self, trace: Mapping[str, Any]) -> None:
        self._steps.take(trace)
        if told_ns := trace.get("TimeNano", 0):
            self._offset_ns = told_ns - time.time_ns()
        if trace.get("State") != "output" or time.monotonic() >= self._next_s:
            self._draw()

    def message(self, text: str) -> None:
        self._clear()
        self._out.write(text if text.endswith("\n") else f"{text}\n")
        self._draw()

    def end(self) -> None:
        self._draw()

    def _draw(self) -> None:
        self._next_s = time.monotonic() + _REDRAW_S
        self._clear()
        width = _columns(self._out)
        now_ns = time.time_ns() + (self._offset_ns or 0)
        for step in self._steps.by_number.values():
            if step.number not in self._shown and step.state in {"cached", "done", "failed"}:
                self._shown.add(step.number)
                self._out.write(_fitted(_finished_line(step, width), width) + "\n")
                if step.why and self._explain:
                    self._out.write(_fitted(f"    done again: {step.why}", width) + "\n")
        lines: list[str] = []
        for step in self._steps.by_number.values():
            if step.state == "started":
                lines.append(_beside(f" => {step.title}", f"{step.seconds(now_ns):.1f}s", width))
                tail = list(step.tail)[-_TAIL_LINES:]
                lines.extend(_fitted(f"    {line}", width) for line in tail)
        self._out.write("".join(f"{line}\n" for line in lines))
        self._drawn = len(lines)
        self._out.flush()

    def _clear(self) -> None:
        if self._drawn:
            self._out.write(f"\x1b[{self._drawn}A\x1b[J")
            self._drawn = 0


def _finished_line(step: StepView, width: int) -> str:
    match step.state:
        case "cached":
            return _beside(f" => CACHED {step.title}", "0.0s", width)
        case "failed":
            return _beside(f" => ERROR {step.title}", f"{step.seconds():.1f}s", width)
    return _beside(f" => {step.title}", f"{step.seconds():.1f}s", width)


def _beside(left: str, right: str, width: int) -> str:
    """Both on one line, the left one cut where it is too long."""
    room = max(width - len(right) - 1, 1)
    return f"{_fitted(left, room):<{room}} {right}"


def _fitted(text: str, width: int) -> str:
    return text if len(text) <= width else f"{text[: width - 1]}…"


def _columns(out: TextIO) -> int:
    try:
        return os.get_terminal_size(out.fileno()).columns or 80
    except (OSError, ValueError):
        return 80


class Quiet:
    """Nothing but what went wrong, which is told at the end."""

    def __init__(self, steps: Steps) -> None:
        self._steps = steps

    def trace(self, trace: Mapping[str, Any]) -> None:
        self._steps.take(trace)

    def message(self, text: str) -> None: ...

    def end(self) -> None: ...


class RawJson:
    """The engine's own documents, one a line."""

    def __init__(self, steps: Steps, out: TextIO) -> None:
        self._steps = steps
        self._out = out

    def trace(self, trace: Mapping[str, Any]) -> None:
        self._steps.take(trace)
        self._out.write(dumps(dict(trace)) + "\n")
        self._out.flush()

    def message(self, text: str) -> None:
        self._out.write(dumps({"Message": text}) + "\n")

    def end(self) -> None: ...


def display_for(
    progress: str, steps: Steps, out: TextIO, *, explain: bool
) -> Plain | Terminal | Quiet | RawJson:
    """The display of that name; ``auto`` is a terminal's where there is one."""
    if progress == "auto":
        progress = "tty" if out.isatty() else "plain"
    match progress:
        case "tty":
            return Terminal(steps, out, explain=explain)
        case "plain":
            return Plain(steps, out, explain=explain)
        case "rawjson":
            return RawJson(steps, out)
    return Quiet(steps)


# At the end


def slowest(steps: Steps) -> list[str]:
    """What took the time, the longest first; empty where nothing took any."""
    took = sorted(steps.by_number.values(), key=StepView.seconds, reverse=True)
    return [
        f"{step.seconds():7.1f}s  {step.title}" for step in took[:5] if step.seconds() >= _SLOW_S
    ]


def failure_text(steps: Steps) -> str:
    """The failed step with the last of what it wrote, and where in the Dockerfile it stands."""
    step = steps.failed
    if step is None:
        return ""
    rule = "-" * 6
    tail = "\n".join([*step.tail, *([step.partial] if step.partial else [])])
    excerpt = "\n".join(step.error.splitlines()[1:])
    said = f"{rule}\n > {step.title}:\n{tail}\n{rule}\n" if tail else ""
    return f"{said}{excerpt}\n" if excerpt else said


def explanation(steps: Steps) -> list[str]:
    """Each step that does something: had, or done again and why."""
    lines = []
    for step in steps.by_number.values():
        if step.state == "cached":
            lines.append(f"hit   {step.title}")
        elif step.state in {"done", "failed"}:
            why = step.why or "not built before"
            lines.append(f"miss  {step.title}\n        {why}")
    return lines
