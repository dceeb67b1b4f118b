"""What a build tells, in the words of BuildKit's displays: vertices, their states, their logs.

The builder tells of steps (BuildTrace); here they become vertices with names like
``[build 2/5] RUN make``. What has no step (the context, the image) is told by the gateway itself.
"""

import asyncio
import base64
import hashlib
import re
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final

from knarr.buildkit.messages import (
    StatusResponse,
    Timestamp,
    Vertex,
    VertexLog,
    VertexStatus,
)
from knarr.spec.docker.build import BuildTrace
from knarr.spec.docker.progress import Progress

_HISTORY_BYTES: Final = 32 << 20  # of logs that are kept for who asks later
_EXIT: Final = re.compile(r"The command '(.*)' returned a non-zero code: (\d+)(.*)", re.DOTALL)


class Record:
    """All that a build has told, for any number of readers; one who comes late hears it all."""

    def __init__(self) -> None:
        self._told: deque[StatusResponse] = deque()
        self._first = 0  # the number of the oldest that is still there
        self._bytes = 0
        self._over = False
        self._news = asyncio.Event()

    def tell(self, response: StatusResponse) -> None:
        self._told.append(response)
        self._bytes += _weight(response)
        while self._bytes > _HISTORY_BYTES and len(self._told) > 1:
            self._bytes -= _weight(self._told.popleft())
            self._first += 1
        self._wake()

    def end(self) -> None:
        self._over = True
        self._wake()

    def _wake(self) -> None:
        self._news.set()
        self._news = asyncio.Event()

    async def follow(self) -> AsyncIterator[StatusResponse]:
        """Until the end. What came at once is told at once."""
        position = 0
        while True:
            news = self._news
            position = max(position, self._first)
            last = self._first + len(self._told)
            if position < last:
                yield _joined(self._told[n - self._first] for n in range(position, last))
                position = last
                continue
            if self._over:
                return
            await news.wait()


def _weight(response: StatusResponse) -> int:
    return 200 + sum(len(each.msg) for each in response.logs)


def _joined(responses: Iterator[StatusResponse]) -> StatusResponse:
    whole = StatusResponse()
    for each in responses:
        whole.vertexes += each.vertexes
        whole.statuses += each.statuses
        whole.logs += each.logs
    return whole


@dataclass(slots=True)
class _Step:
    """A step of the Dockerfile. name: once the plan is whole; empty for config alone."""

    trace: BuildTrace
    digest: str
    plain: bool = False
    name: str = ""
    started: Timestamp | None = None
    over: bool = False
    inputs: list[str] = field(default_factory=list)


class Operation:
    """A vertex of the gateway's own, from its start on."""

    def __init__(self, tell: Callable[[StatusResponse], None], vertex: Vertex) -> None:
        self._tell = tell
        self.vertex = vertex
        vertex.started = _now()
        tell(StatusResponse(vertexes=[vertex]))

    def done(self, error: str = "") -> None:
        if self.vertex.completed is None:
            self.vertex = _completed(self.vertex, error=error)
            self._tell(StatusResponse(vertexes=[self.vertex]))

    def state(self, name: str, current: int = 0, total: int = 0, *, over: bool = True) -> None:
        """One line beneath it, by name: how far, or that it is done."""
        status = VertexStatus(
            id=name, vertex=self.vertex.digest, name=name, current=current, total=total,
            timestamp=_now(), started=self.vertex.started, completed=_now() if over else None,
        )  # fmt: skip
        self._tell(StatusResponse(statuses=[status]))

    def log(self, text: str) -> None:
        entry = VertexLog(vertex=self.vertex.digest, timestamp=_now(), stream=1, msg=text.encode())
        self._tell(StatusResponse(logs=[entry]))


class Display:
    """One build's vertices."""

    def __init__(self, ref: str, record: Record) -> None:
        self._ref = ref
        self._tell = record.tell
        self._steps: dict[int, _Step] = {}
        self._named = False
        self._bases: Operation | None = None
        self._count = 0
        self.failed_lines: tuple[int, int] | None = None  # of the Dockerfile, first and last

    @contextmanager
    def operation(self, name: str) -> Iterator[Operation]:
        """A vertex for what is done in the block."""
        begun = self.begin(name)
        try:
            yield begun
        except BaseException as error:
            begun.done(str(error) or type(error).__name__)
            raise
        begun.done()

    def begin(self, name: str) -> Operation:
        self._count += 1
        return Operation(self._tell, Vertex(digest=self._digest(f"own {self._count}"), name=name))

    def hear(self, document: Progress) -> None:
        """One document of the builder's stream."""
        if isinstance(document.aux, BuildTrace):
            self._trace(document.aux)
        elif document.id and document.status:
            detail = document.progress_detail
            self._base_operation().state(
                f"{document.id} {document.status}".lower(),
                detail.current if detail else 0,
                detail.total if detail else 0,
                over=not detail or detail.current >= detail.total,
            )
        elif (text := document.stream or document.status) and self._bases is not None:
            self._bases.log(text if text.endswith("\n") else f"{text}\n")

    def finish(self, error: str = "") -> None:
        """Whatever is still under way is not any more."""
        if self._bases is not None:
            self._bases.done(error)
        for step in self._steps.values():
            if step.started is not None and not step.over:
                self._complete(step, error=error or "canceled")

    def _base_operation(self) -> Operation:
        if self._bases is None:
            self._bases = self.begin("[internal] load base images")
        return self._bases

    # Steps

    def _trace(self, trace: BuildTrace) -> None:
        if self._bases is not None:
            self._bases.done()
        if trace.state == "planned":
            self._steps[trace.number] = _Step(trace, self._digest(f"step {trace.number}"))
            return
        step = self._steps[trace.number]
        if trace.state == "plain":
            step.plain = True
            return
        self._name_all()
        match trace.state:
            case "started":
                step.started = Timestamp.of(trace.time_nano)
                self._tell(StatusResponse(vertexes=[self._vertex(step)]))
            case "output":
                self._output(step, trace)
            case "cached":
                step.started = Timestamp.of(trace.time_nano)
                self._complete(step, cached=True)
            case "done":
                self._complete(step)
            case "failed":
                self.failed_lines = (trace.line, trace.last_line)
                told = trace.text.partition("\n")[0]  # the lines of the file are told at the end
                self._complete(step, error=sentence(told))
            case _:
                pass

    def _name_all(self) -> None:
        """Once the plan is whole, and before the first of its steps is told."""
        if self._named:
            return
        self._named = True
        stages: dict[str, list[_Step]] = {}
        for step in self._steps.values():
            if not step.plain:
                stages.setdefault(step.trace.stage, []).append(step)
        for stage, steps in stages.items():
            title = f"{stage} " if len(stages) > 1 or not stage.startswith("stage-") else ""
            before: list[str] = []
            for number, step in enumerate(steps, 1):
                step.name = f"[{title}{number}/{len(steps)}] {step.trace.text}"
                step.inputs, before = before, [step.digest]
        known = [self._vertex(step) for step in self._steps.values() if step.name]
        self._tell(StatusResponse(vertexes=known))

    def _output(self, step: _Step, trace: BuildTrace) -> None:
        entry = VertexLog(
            vertex=step.digest,
            timestamp=Timestamp.of(trace.time_nano),
            stream=trace.stream or 1,
            msg=base64.b64decode(trace.data),
        )
        self._tell(StatusResponse(logs=[entry]))

    def _complete(self, step: _Step, *, cached: bool = False, error: str = "") -> None:
        if step.over or not step.name:
            return
        step.over = True
        step.started = step.started or _now()
        vertex = _completed(self._vertex(step), error=error)
        vertex.cached = cached
        self._tell(StatusResponse(vertexes=[vertex]))

    def _vertex(self, step: _Step) -> Vertex:
        return Vertex(digest=step.digest, inputs=step.inputs, name=step.name, started=step.started)

    def _digest(self, what: str) -> str:
        return f"sha256:{hashlib.sha256(f'{self._ref} {what}'.encode()).hexdigest()}"


def sentence(text: str) -> str:
    """An error as BuildKit's users know it: how a command ended is said in its words."""
    return _EXIT.sub(r'process "\1" did not complete successfully: exit code: \2\3', text, count=1)


def _completed(vertex: Vertex, *, error: str) -> Vertex:
    return Vertex(
        digest=vertex.digest, inputs=vertex.inputs, name=vertex.name, started=vertex.started,
        completed=_now(), error=error,
    )  # fmt: skip


def _now() -> Timestamp:
    return Timestamp.of(time.time_ns())
