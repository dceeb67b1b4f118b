"""What the solver does, heard as the steps of a Dockerfile that it is done for."""

from collections.abc import Callable

from knarr.build import Layered, Vertex
from knarr.build.keys import Inputs
from knarr.build.laststeps import worked
from knarr.build.model import Result
from knarr.build.ops import Image, Scratch
from knarr.dockerfile.plan import Plan, Step
from knarr.dockerfile.telling import Known, Teller
from knarr.ids import DiffId, Digest


class StepListener:
    """From vertices to the steps that they are done for; several steps may be the same vertex."""

    def __init__(
        self,
        plan: Plan,
        teller: Teller,
        *,
        why: Callable[[Step, Inputs], str],
        recall: Callable[[Vertex, Inputs], Known],
    ) -> None:
        """``why`` a step has to be done; what the cache can ``recall`` of one that was not."""
        self._teller = teller
        self._why = why
        self._recall = recall
        self._open: dict[Digest, list[Step]] = {}
        self._plain = [step for step in plan.steps if step.vertex is None]
        self._results: dict[Digest, Layered] = {}
        for step in plan.steps:
            if step.vertex is not None:
                self._open.setdefault(worked(step.vertex).digest, []).append(step)
        self.failure: Step | None = None
        self.keys: dict[Digest, Inputs] = {}

    def begin(self) -> None:
        """Tell what needs nobody's work: config changes, and bases that are there."""
        for step in self._plain:
            self._teller.plain(step)
        for steps in list(self._open.values()):
            vertex = steps[0].after.node
            if isinstance(vertex.op, Image | Scratch):
                self._results[vertex.digest] = Layered(diff_ids=_diff_ids(vertex))
                for step in self._open.pop(vertex.digest):
                    self._teller.cached(step, self._results[vertex.digest])

    def cached(self, vertex: Vertex, result: Result) -> None:
        for beneath in vertex.walk():
            for step in self._open.pop(beneath.digest, ()):
                self._teller.cached(step, self._part(step, result))

    def started(self, vertex: Vertex) -> None:
        for step in self._open.get(vertex.digest, ()):
            self._teller.started(step, self._why(step, self.keys.get(vertex.digest, {})))

    def output(self, vertex: Vertex, stream: int, chunk: bytes) -> None:
        for step in self._open.get(vertex.digest, ()):
            self._teller.output(step, stream, chunk)

    def done(self, vertex: Vertex, result: Result) -> None:
        for step in self._open.pop(vertex.digest, ()):
            self._teller.done(step, self._part(step, result))

    def failed(self, vertex: Vertex, error: Exception) -> None:
        for step in self._open.get(vertex.digest, ()):
            self.failure = self.failure or step
            self._teller.failed(step, error)

    def keyed(self, vertex: Vertex, inputs: Inputs) -> None:
        self.keys[vertex.digest] = inputs

    def rest(self, result: Layered) -> None:
        """Steps that nobody had to do anything for."""
        for steps in self._open.values():
            for step in steps:
                self._teller.cached(step, self._part(step, result))
        self._open.clear()

    def state_before(self, step: Step) -> Known:
        """The files on which a step was to work."""
        return self._results.get(step.before.node.digest) if step.before else None

    def _part(self, step: Step, result: Result) -> Known:
        """What the chain was when the step was its end; None for another stage's."""
        node = step.after.node
        for index, mark in enumerate(result.marks if isinstance(result, Layered) else ()):
            if isinstance(result, Layered) and mark.vertex == node.digest:
                part = Layered(
                    diff_ids=result.diff_ids[: mark.layers],
                    time_ns=mark.time_ns,
                    marks=result.marks[: index + 1],
                )
                self._results[node.digest] = part
                return part
        inputs = self.keys.get(node.digest)
        return self._recall(node, inputs) if inputs else None


def _diff_ids(vertex: Vertex) -> tuple[DiffId, ...]:
    """Of an image; nothing has none."""
    diff_ids = vertex.op.diff_ids if isinstance(vertex.op, Image) else ()
    return tuple(DiffId(Digest(each)) for each in diff_ids)
