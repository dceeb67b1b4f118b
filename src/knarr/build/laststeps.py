"""What each step of a project's last build was made from, and so why one is done again now."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from knarr.build import keys
from knarr.build.graph import Vertex
from knarr.build.ops import Context, Copy, Merge
from knarr.build.selection import pick, place
from knarr.build.tree import Tree
from knarr.errors import KnarrError
from knarr.patterns import IgnoreRules
from knarr.snapshot.tar import header
from knarr.store import Database


@dataclass(frozen=True, slots=True)
class Slot:
    """Where in a project's Dockerfile a step stands."""

    stage: str
    ordinal: int  # in the stage
    text: str


@dataclass(frozen=True, slots=True)
class Worked:
    """A step of this build: its vertex and what its key is made of."""

    slot: Slot
    vertex: Vertex
    inputs: keys.Inputs


def worked(vertex: Vertex) -> Vertex:
    """The vertex that does a step's work: of a linked copy, the copy."""
    return vertex.inputs[-1] if isinstance(vertex.op, Merge) else vertex


class LastBuild:
    """The last build of one project."""

    def __init__(self, db: Database, project: str, trees: Mapping[str, Tree]) -> None:
        self._db = db
        self._project = project
        self._trees = trees
        rows = db.query("SELECT * FROM build_steps WHERE project = ?", (project,))
        self._steps = {
            (row["stage"], row["ordinal"]): (row["text"], bytes(row["inputs"])) for row in rows
        }

    def why(self, step: Worked) -> str:
        """Why it has to be done, in a few words; empty where nothing is known of it."""
        raw = self._before(step.slot)
        if raw is None:
            return "it was not in the last build" if self._steps else ""
        return keys.explained(keys.unpack(raw), self._now(step))

    def _before(self, slot: Slot) -> bytes | None:
        """The same instruction in the same stage, else whatever stood in its place."""
        same = [
            raw
            for (stage, _), (text, raw) in sorted(self._steps.items())
            if stage == slot.stage and text == slot.text
        ]
        if same:
            return same[0]
        return self._steps.get((slot.stage, slot.ordinal), ("", None))[1]

    def _now(self, step: Worked) -> dict[str, str]:
        return keys.unpack(keys.pack(step.inputs, context_files(step.vertex, self._trees)))

    def remember(self, steps: Sequence[Worked]) -> None:
        """In the loop: writes rows. Steps that are as they were keep theirs."""
        now_ns = time.time_ns()
        rows = [
            (self._project, step.slot.stage, step.slot.ordinal, step.slot.text, raw, now_ns)
            for step in steps
            if (raw := self._changed(step)) is not None
        ]
        kept = {(step.slot.stage, step.slot.ordinal) for step in steps}
        with self._db.transaction() as tx:
            tx.executemany("INSERT OR REPLACE INTO build_steps VALUES (?, ?, ?, ?, ?, ?)", rows)
            for stage, ordinal in self._steps.keys() - kept:
                tx.execute(
                    "DELETE FROM build_steps WHERE project = ? AND stage = ? AND ordinal = ?",
                    (self._project, stage, ordinal),
                )

    def _changed(self, step: Worked) -> bytes | None:
        text, raw = self._steps.get((step.slot.stage, step.slot.ordinal), ("", None))
        if raw is not None and text == step.slot.text:
            before = keys.unpack(raw)
            if all(before.get(name) == value for name, value in step.inputs.items()):
                return None
        return keys.pack(step.inputs, context_files(step.vertex, self._trees))


def context_files(vertex: Vertex, trees: Mapping[str, Tree]) -> dict[str, str]:
    """The files that a COPY takes from contexts, with what is said of each."""
    files: dict[str, str] = {}
    op = vertex.op
    if not isinstance(op, Copy):
        return files
    exclude = IgnoreRules.of(op.exclude) if op.exclude else None
    for selection in op.selections:
        source = vertex.inputs[selection.input].op
        tree = trees.get(source.name) if isinstance(source, Context) else None
        if tree is None:
            continue
        try:
            found = pick(tree, selection.paths, parents=op.parents)
        except KnarrError:
            continue
        for picked in found:
            for each in place(tree, picked, "", into=True, exclude=exclude, parents=op.parents):
                if len(files) > keys.FILES_TOLD:
                    return files  # they will be told as one
                if each.entry.member.kind != header.DIRECTORY:
                    mode = f"{each.entry.member.mode:o}"
                    said = each.entry.digest[:8].hex() or each.entry.member.link.hex()
                    files[each.entry.path] = f"{mode} {said}"
    return files
