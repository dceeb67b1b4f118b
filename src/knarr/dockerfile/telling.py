"""What a build tells its client: a classic stream of text, or documents for knarr's own client.

Steps are done in any order and several at a time; people read them in the file's order. So the
text of the step in front goes out as it comes, that of the others waits for its turn.
"""

import base64
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, Protocol

from knarr.build import Layered
from knarr.dockerfile.plan import Plan, Step
from knarr.http.frames import STDERR
from knarr.ids import new_hex, short
from knarr.spec.docker.build import BuildTrace
from knarr.spec.docker.progress import Progress

TRACE: Final = "knarr.build.trace"
_CACHED: Final = " ---> Using cache\n"
_WAITING_BYTES: Final = 8 << 20  # of one step's output while it is not its turn

Say = Callable[[Progress], None]
ImageOf = Callable[[Step, Layered], str]
"""The ID of the image that a step comes to."""
IsOld = Callable[[Step, Layered], bool]
"""Whether an image that is here came by a step that changes the config alone."""
Known = Layered | None
"""What a step came to; None where only the cache's word for it is known."""


class Teller(Protocol):
    """Hears of steps, says what the client reads. In the loop."""

    def cached(self, step: Step, result: Known) -> None: ...
    def started(self, step: Step, why: str) -> None: ...
    def output(self, step: Step, stream: int, chunk: bytes) -> None: ...
    def done(self, step: Step, result: Known) -> None: ...
    def failed(self, step: Step, error: Exception) -> None: ...
    def plain(self, step: Step) -> None:
        """A step that changes the config alone."""

    def note(self, text: str) -> None: ...
    def finished(self, image: str, tags: tuple[str, ...], warnings: tuple[str, ...]) -> None: ...


@dataclass(slots=True)
class _Turn:
    """One step's text while it waits for its turn."""

    pieces: list[str] = field(default_factory=list)
    size: int = 0
    over: bool = False
    plain: bool = False


class Console:
    """The classic builder's text.

    Source: Engine API, BuildInfo; docker/cli, legacy builder.
    """

    def __init__(
        self, plan: Plan, say: Say, image_of: ImageOf, *, is_old: IsOld, removes: bool
    ) -> None:
        self._steps = plan.steps
        self._say = say
        self._image_of = image_of
        self._is_old = is_old
        self._removes = removes
        self._turns = {step.number: _Turn() for step in plan.steps}
        self._front = 0  # the step whose turn it is; 0 before the first
        self._containers: dict[int, str] = {}
        self._chains: dict[int, Known] = {}  # of each stage, as far as it has been told

    def begin(self) -> None:
        self._next()

    def cached(self, step: Step, result: Known) -> None:
        if step.before is not None:
            self._text(step, _CACHED)
        self._over(step, result)

    def started(self, step: Step, why: str) -> None:  # noqa: ARG002  not part of this form
        if step.statement.line.name == "RUN":
            container = self._containers[step.number] = new_hex()
            self._text(step, f" ---> Running in {short(container)}\n")

    def output(self, step: Step, stream: int, chunk: bytes) -> None:
        text = chunk.decode(errors="replace")
        # Docker's own marks: clients know standard error by them.
        self._text(step, f"\x1b[91m{text}\x1b[0m" if stream == STDERR else text)

    def done(self, step: Step, result: Known) -> None:
        container = self._containers.get(step.number)
        if container and self._removes:
            self._text(step, f"Removing intermediate container {short(container)}\n")
        self._over(step, result)

    def failed(self, step: Step, error: Exception) -> None:  # noqa: ARG002  the end says it
        """What was said until then is said now, whatever comes before is not over."""
        turn = self._turns[step.number]
        if self._front != step.number and turn.pieces:
            self._say(Progress(stream=_header(step)))
            self._flush(turn)

    def plain(self, step: Step) -> None:
        turn = self._turns[step.number]
        turn.plain = turn.over = True
        self._go_on()

    def note(self, text: str) -> None:
        self._say(Progress(stream=text))

    def finished(self, image: str, tags: tuple[str, ...], warnings: tuple[str, ...]) -> None:
        for warning in warnings:
            self._say(Progress(stream=warning))
        self._say(Progress(aux={"ID": image}))
        self._say(Progress(stream=f"Successfully built {short(image)}\n"))
        for tag in tags:
            self._say(Progress(stream=f"Successfully tagged {tag}\n"))

    def _text(self, step: Step, text: str) -> None:
        turn = self._turns[step.number]
        if self._front == step.number:
            self._say(Progress(stream=text))
        elif turn.size < _WAITING_BYTES:
            turn.pieces.append(text)
            turn.size += len(text)

    def _over(self, step: Step, result: Known) -> None:
        turn = self._turns[step.number]
        if turn.over:
            return
        self._chains[step.after.index] = result
        self._text(step, f" ---> {short(self._image(step, result))}\n")
        turn.over = True
        self._go_on()

    def _image(self, step: Step, result: Known) -> str:
        return self._image_of(step, result) if result else step.after.node.digest

    def _go_on(self) -> None:
        while self._front and self._turns[self._front].over:
            self._next()

    def _next(self) -> None:
        """The next step's turn: its header, and what it had to say until now."""
        if self._front >= len(self._steps):
            self._front = 0
            return
        self._front += 1
        step, turn = self._steps[self._front - 1], self._turns[self._front]
        self._say(Progress(stream=_header(step)))
        if turn.plain:
            chain = self._chains.get(step.after.index)
            if step.before is not None and chain and self._is_old(step, chain):
                turn.pieces.append(_CACHED)
            turn.pieces.append(f" ---> {short(self._image(step, chain))}\n")
        self._flush(turn)

    def _flush(self, turn: _Turn) -> None:
        if turn.pieces:
            self._say(Progress(stream="".join(turn.pieces)))
            turn.pieces.clear()


def _header(step: Step) -> str:
    return f"Step {step.number}/{step.total} : {step.text}\n"


class Quiet:
    """The image's ID, and nothing before it."""

    def __init__(self, say: Say) -> None:
        self._say = say

    def cached(self, step: Step, result: Known) -> None: ...
    def started(self, step: Step, why: str) -> None: ...
    def output(self, step: Step, stream: int, chunk: bytes) -> None: ...
    def done(self, step: Step, result: Known) -> None: ...
    def failed(self, step: Step, error: Exception) -> None: ...
    def plain(self, step: Step) -> None: ...
    def note(self, text: str) -> None: ...

    def finished(self, image: str, tags: tuple[str, ...], warnings: tuple[str, ...]) -> None:  # noqa: ARG002
        self._say(Progress(stream=f"{image}\n"))


class Trace:
    """One document for each thing that happens, as it happens.

    lead: in front of the names of stages. first: how many steps other platforms had before.
    """

    def __init__(self, say: Say, *, lead: str = "", first: int = 0) -> None:
        self._say = say
        self._lead = lead
        self._first = first

    def plan(self, plan: Plan) -> None:
        """All steps that there will be, before the first of them."""
        for step in plan.steps:
            self._tell(step, "planned", text=step.text, total=self._first + step.total)

    def cached(self, step: Step, result: Known) -> None:  # noqa: ARG002
        self._tell(step, "cached")

    def started(self, step: Step, why: str) -> None:
        self._tell(step, "started", why=why)

    def output(self, step: Step, stream: int, chunk: bytes) -> None:
        data = base64.b64encode(chunk).decode()
        self._tell(step, "output", stream=stream, data=data)

    def done(self, step: Step, result: Known) -> None:  # noqa: ARG002
        self._tell(step, "done")

    def failed(self, step: Step, error: Exception) -> None:
        logical = step.statement.line.logical
        excerpt = logical.source.excerpt(step.statement.place, logical.last_line)
        self._tell(
            step,
            "failed",
            text=f"{error}\n{excerpt}",
            line=step.statement.place.line,
            last_line=logical.last_line,
        )

    def plain(self, step: Step) -> None:
        self._tell(step, "plain")

    def note(self, text: str) -> None:
        self._say(Progress(stream=text))

    def finished(self, image: str, tags: tuple[str, ...], warnings: tuple[str, ...]) -> None:
        for warning in warnings:
            self._say(Progress(stream=warning))
        self._say(Progress(aux={"ID": image, "Tags": list(tags)}))

    def _tell(self, step: Step, state: str, **more: object) -> None:
        trace = BuildTrace(
            number=self._first + step.number,
            stage=f"{self._lead}{step.stage}",
            state=state,
            time_nano=time.time_ns(),
            **more,  # type: ignore[arg-type]
        )
        self._say(Progress(id=TRACE, aux=trace))
