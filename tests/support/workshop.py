"""A solver on real layers, and short words for what it is asked to do."""

import os
from dataclasses import dataclass, field
from pathlib import Path

from knarr.build.graph import Vertex
from knarr.build.housekeeping import build_cache
from knarr.build.model import Layered, Result
from knarr.build.ops import Context, Copy, Execute, Image, Selection
from knarr.build.session import Session
from knarr.build.solver import Solver
from knarr.build.tree import Tree
from knarr.events import EventBus
from knarr.snapshot import ContainerLayers, Layers, Unpacked
from knarr.snapshot import rows as layer_rows
from knarr.store import Database
from support.images import busybox_layer
from support.processes import Pretended


@dataclass
class Heard:
    """What the solver told, as lines."""

    lines: list[str] = field(default_factory=list)
    keys: dict[str, dict[str, str]] = field(default_factory=dict)
    text: str = ""

    def cached(self, vertex: Vertex, result: Result) -> None:
        self.lines.append(f"cached {vertex.op.describe()}")

    def started(self, vertex: Vertex) -> None:
        self.lines.append(f"started {vertex.op.describe()}")

    def output(self, vertex: Vertex, stream: int, chunk: bytes) -> None:
        self.text += chunk.decode()

    def done(self, vertex: Vertex, result: Result) -> None:
        self.lines.append(f"done {vertex.op.describe()}")

    def failed(self, vertex: Vertex, error: Exception) -> None:
        self.lines.append(f"failed {vertex.op.describe()}")

    def keyed(self, vertex: Vertex, inputs: object) -> None:
        self.keys[vertex.op.describe()] = dict(inputs)  # type: ignore[call-overload]


class Workshop:
    """A solver and what it stands on."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.db = Database(":memory:", EventBus())
        self.layers = Layers(folder / "data", [Unpacked()])
        self.containers = ContainerLayers(self.db, self.layers, folder / "data", folder / "run")
        self.runner = Pretended()
        self.heard = Heard()
        self.base = self.store(busybox_layer())
        self.solver = self.new_solver()

    def new_solver(self, runner: object = None) -> Solver:
        self.solver = Solver(
            self.db,
            self.layers,
            self.containers,
            runner or self.runner,  # type: ignore[arg-type]
            build_cache(self.db, self.layers, self.folder / "data"),
            self.folder / "data",
            self.folder / "run",
        )
        return self.solver

    def store(self, archive: bytes) -> Vertex:
        """A layer as an image that operations can stand on."""
        with self.layers.writer() as writer:
            writer.write(archive)
            layer = writer.commit()
        with self.db.transaction() as tx:
            layer_rows.put_layer(tx, layer)
            layer_rows.hold_layers(tx, f"image/{layer.diff_id}", [layer.diff_id])
        self.layers.unpin(layer.diff_id)
        return Vertex(
            Image(reference="base", diff_ids=(layer.diff_id,), time_ns=1_600_000_000 * 10**9)
        )

    async def solve(self, vertex: Vertex, **session: object) -> Layered:
        self.heard.lines.clear()
        session.setdefault("listener", self.heard)
        return await self.solver.solve(vertex, Session(**session))  # type: ignore[arg-type]

    def file(self, result: Layered, path: str) -> Path:
        """Where the topmost layer that has the path has it."""
        for lower in self.layers.lowers(result.diff_ids):
            if (lower / path).exists() or (lower / path).is_symlink():
                return lower / path
        raise FileNotFoundError(path)

    def archive(self, result: Layered) -> bytes:
        """The topmost layer's tar."""
        fd = self.layers.open_tar(result.diff_ids[-1])
        with os.fdopen(fd, "rb") as file:
            return file.read()


def run(*argv: str, on: Vertex, **fields: object) -> Vertex:
    inputs: tuple[Vertex, ...] = fields.pop("inputs", ())  # type: ignore[assignment]
    env = ("PATH=/bin",)
    return Vertex(Execute(argv=argv, env=env, **fields), (on, *inputs))  # type: ignore[arg-type]


def sh(script: str, on: Vertex, **fields: object) -> Vertex:
    return run("/bin/sh", "-c", script, on=on, **fields)


def copy(
    paths: tuple[str, ...], destination: str, on: Vertex, source: Vertex | None = None
) -> Vertex:
    selections = (Selection(input=1, paths=paths),)
    op = Copy(selections=selections, destination=destination)
    return Vertex(op, (on, source or Vertex(Context())))


def contexts(tree: Tree) -> dict[str, Tree]:
    return {"context": tree}
