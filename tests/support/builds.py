"""A build service on storage rooms of its own, and what its stream says in short."""

import base64
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from knarr.build import Runner, Solver
from knarr.build.housekeeping import build_cache
from knarr.dockerfile.bases import Puller
from knarr.dockerfile.request import BuildRequest
from knarr.dockerfile.service import BuildService
from knarr.spec.docker.build import BuildTrace
from knarr.spec.docker.image import ImageConfig
from knarr.spec.docker.progress import Progress
from support import images
from support.processes import Chrooted
from support.rooms import Rooms, chunks
from support.trees import listed, tar


@dataclass
class Told:
    """The documents of one build."""

    documents: list[Progress] = field(default_factory=list)

    @property
    def text(self) -> str:
        return "".join(each.stream for each in self.documents)

    @property
    def error(self) -> str:
        return next((each.error for each in self.documents if each.error), "")

    @property
    def code(self) -> int:
        details = (each.error_detail for each in self.documents if each.error_detail)
        return next((each.code for each in details), 0)

    @property
    def image(self) -> str:
        """The ID of what was built."""
        found = [each.aux["ID"] for each in self.documents if _has(each, "ID")]
        assert found, self.error or self.text
        return str(found[-1])

    @property
    def traces(self) -> list[BuildTrace]:
        return [each.aux for each in self.documents if isinstance(each.aux, BuildTrace)]

    def states(self) -> list[str]:
        """``done RUN true`` and the like, without what was only planned."""
        texts = {each.number: each.text for each in self.traces if each.state == "planned"}
        return [
            f"{each.state} {texts[each.number]}"
            for each in self.traces
            if each.state in {"cached", "done", "failed"}
        ]

    def whys(self) -> dict[str, str]:
        texts = {each.number: each.text for each in self.traces if each.state == "planned"}
        return {texts[each.number]: each.why for each in self.traces if each.state == "started"}

    def output(self) -> str:
        pieces = (each.data for each in self.traces if each.state == "output")
        return b"".join(base64.b64decode(each) for each in pieces).decode()


def _has(document: Progress, key: str) -> bool:
    return isinstance(document.aux, dict) and key in document.aux


class Yard:
    """Builds in this process."""

    def __init__(self, root: Path, runner: Runner | None = None) -> None:
        self.root = root
        self.rooms = Rooms(root)
        self.solver = Solver(
            self.rooms.db,
            self.rooms.layers,
            self.rooms.containers,
            runner or Chrooted(),
            build_cache(self.rooms.db, self.rooms.layers, root),
            root,
            root / "run",
        )
        self.service = BuildService(self.rooms.db, self.rooms.images, self.solver, root)

    def pull_with(self, puller: Puller) -> None:
        self.service = BuildService(
            self.rooms.db, self.rooms.images, self.solver, self.root, puller
        )

    async def begin(self) -> None:
        await self.rooms.load(images.busybox())

    async def build(
        self, dockerfile: str, files: Mapping[str, str | None] | None = None, **request: Any
    ) -> Told:
        """A build of that Dockerfile and those files."""
        archive = tar({"Dockerfile": dockerfile, **(files or {})})
        return await self.send(archive, **request)

    async def send(self, archive: bytes, **request: Any) -> Told:
        told = Told()
        stream = await self.service.build(BuildRequest(**request), chunks(archive))
        async for document in stream:
            told.documents.append(document)
        return told

    def config(self, ref: str) -> ImageConfig:
        return self.rooms.images.resolve(ref).config

    def files(self, ref: str, *, layers: int = 1) -> dict[str, str]:
        """What the topmost layers have."""
        found: dict[str, str] = {}
        for diff_id in self.rooms.images.resolve(ref).diff_ids[-layers:]:
            with open(self.rooms.layers.folder(diff_id) / "layer.tar", "rb") as archive:
                found |= listed(archive.read())
        return found

    def history(self, ref: str) -> list[str]:
        """Oldest first, without the base's; ``*`` in front of those with a layer."""
        document = self.rooms.images.resolve(ref).document
        return [
            ("" if each.empty_layer else "*") + each.created_by
            for each in document.history
            if each.comment == "buildkit.dockerfile.v0"
        ]


async def nothing() -> AsyncIterator[bytes]:
    """An empty body."""
    for each in tuple[bytes, ...]():
        yield each
