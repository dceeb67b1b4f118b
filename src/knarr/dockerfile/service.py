"""Builds of Dockerfiles, from what a client asks to an image with its names.

The language gives a plan (lower.py), the solver in `build` brings it about (run.py here), the
client is told (telling.py), and assembly.py says what image that is.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, suppress
from dataclasses import replace
from pathlib import Path
from typing import Final

from knarr.build import Solver, StepFailed
from knarr.dockerfile import checks as _registered  # noqa: F401  each file registers itself
from knarr.dockerfile.bases import Bases, Puller
from knarr.dockerfile.check import Finding, Subject, findings
from knarr.dockerfile.lower import bases_needed, lower
from knarr.dockerfile.model import parse_dockerfile
from knarr.dockerfile.opening import Opener
from knarr.dockerfile.outline import outline, targets
from knarr.dockerfile.plan import BaseRequest, Plan
from knarr.dockerfile.request import BuildRequest
from knarr.dockerfile.run import Building, Prepared
from knarr.errors import InvalidArgument, KnarrError
from knarr.ids import ImageId, new_hex
from knarr.image import ImageService
from knarr.image.service import new_name
from knarr.spec.docker.progress import ErrorDetail, Progress
from knarr.spec.oci.image import ImageDocument
from knarr.store import Database

_CANCELLED: Final = "context canceled"
Documents = asyncio.Queue[Progress | None]


class BuildService:
    """One for the daemon."""

    def __init__(
        self,
        db: Database,
        images: ImageService,
        solver: Solver,
        data_root: Path,
        puller: Puller | None = None,
    ) -> None:
        self._db = db
        self._images = images
        self._solver = solver
        self._bases = Bases(images, puller)
        self._opener = Opener(data_root, solver.scratch, solver.sources)
        self._running: dict[str, asyncio.Task[None]] = {}
        self.cache = solver.cache

    async def build(
        self, request: BuildRequest, body: AsyncIterator[bytes]
    ) -> AsyncIterator[Progress]:
        """Take in the context; the stream that is returned then is the build itself.

        Raises DockerfileError, InvalidArgument, NotFound for what is wrong before anything is
        done; what goes wrong later is the stream's last document. Closing it ends the build.
        """
        undo = AsyncExitStack()
        try:
            prepared = await self._prepared(request, body, undo)
        except BaseException:
            await undo.aclose()
            raise
        return self._stream(prepared, undo)

    async def answer(self, request: BuildRequest, body: AsyncIterator[bytes], call: str) -> str:
        """What the Dockerfile says of itself (outline.py): ``outline`` or ``targets``."""
        async with AsyncExitStack() as undo:
            prepared = await self._prepared(request, body, undo)
        if call == "targets":
            return targets(prepared.dockerfile)
        if call != "outline":
            raise InvalidArgument(f"unknown call {call}: outline and targets are known")
        return outline(self._planned(prepared, all_stages=False))

    async def check(self, request: BuildRequest, body: AsyncIterator[bytes]) -> list[Finding]:
        """What the checks find in the Dockerfile; nothing is built and nothing pulled."""
        async with AsyncExitStack() as undo:
            prepared = await self._prepared(request, body, undo)
        plan = self._planned(prepared, all_stages=not request.target)
        return findings(Subject(plan=plan, ignore=prepared.opened.ignore))

    def _planned(self, prepared: Prepared, *, all_stages: bool) -> Plan:
        """Without pulling anything: a base that is not here is an empty one."""
        options = replace(prepared.options, all_stages=all_stages)
        known: dict[BaseRequest, ImageDocument] = {}
        while needed := bases_needed(prepared.dockerfile, options, known):
            known |= {base: self._bases.document_here(base) for base in needed}
        return lower(prepared.dockerfile, options, known)

    async def files(self, ref: str) -> AsyncIterator[bytes]:
        """The file system of an image as one archive: what a build's result is without its layers.

        Raises NotFound before the first byte.
        """
        image = self._images.resolve(ref)
        pieces = self._solver.layering.whole(image.diff_ids)

        async def stream() -> AsyncIterator[bytes]:
            try:
                while piece := await asyncio.to_thread(next, pieces, b""):
                    yield bytes(piece)
            finally:
                await asyncio.to_thread(pieces.close)

        return stream()

    def cancel(self, build_id: str) -> None:
        """End the build that was given this ID by its client; where there is none, all is well."""
        if (task := self._running.get(build_id)) is not None:
            task.cancel()

    async def _prepared(
        self, request: BuildRequest, body: AsyncIterator[bytes], undo: AsyncExitStack
    ) -> Prepared:
        tags = tuple(new_name(tag) for tag in request.tags)
        _refuse_for_index(request)
        opened = await self._opener.open(request, body, undo)
        dockerfile = parse_dockerfile(opened.text, opened.name)
        options = request.options(opened.contexts)
        bases_needed(dockerfile, options, {})  # an unknown target is told before anything is done
        return Prepared(
            request=request, opened=opened, dockerfile=dockerfile, options=options, tags=tags
        )

    async def _stream(self, prepared: Prepared, undo: AsyncExitStack) -> AsyncIterator[Progress]:
        documents: Documents = asyncio.Queue()
        task = asyncio.create_task(self._run(prepared, documents))
        task.add_done_callback(lambda _: documents.put_nowait(None))
        name = prepared.request.build_id or new_hex()
        self._running[name] = task
        try:
            while (document := await documents.get()) is not None:
                yield document
            with suppress(asyncio.CancelledError):
                await task
        finally:
            self._running.pop(name, None)
            task.cancel()
            await asyncio.wait([task])
            await undo.aclose()

    async def _run(self, prepared: Prepared, documents: Documents) -> None:
        """The build, whose end, good or bad, is its last document."""
        try:
            if prepared.one_of_several or prepared.request.annotations:
                await self._under_index(prepared, documents)
            else:
                await self._building(prepared, documents).run()
            await self.cache.keep_within_bounds()
        except StepFailed as error:
            documents.put_nowait(_failure(str(error), error.code))
        except KnarrError as error:
            documents.put_nowait(_failure(str(error)))
        except asyncio.CancelledError:
            documents.put_nowait(_failure(_CANCELLED))
            raise

    def _building(self, prepared: Prepared, documents: Documents) -> Building:
        return Building(
            prepared, self._db, self._images, self._solver, self._bases, documents.put_nowait
        )

    async def _under_index(self, prepared: Prepared, documents: Documents) -> None:
        """An image for each platform, one after the other, and an index of them by its names.

        Annotations are said there, so that an image with some has an index even if it is alone.
        """
        images: list[ImageId] = []
        steps = 0
        for platform in prepared.request.platforms or (prepared.options.platform,):
            options = replace(prepared.options, platform=platform)
            part = replace(prepared, options=options, tags=(), steps_before=steps)
            built = await self._building(part, documents).run()
            if built is None:
                return
            images.append(built.image)
            steps += built.steps
        named = self._images.add_platforms(prepared.tags, images, prepared.request.annotations)
        documents.put_nowait(Progress(aux={"ID": named.id}))


def _refuse_for_index(request: BuildRequest) -> None:
    """What makes no sense for more than an image. Raises InvalidArgument."""
    if request.annotations and not request.tags:
        raise InvalidArgument("annotations belong to a name: give it one with -t")
    if len(request.platforms) < 2:
        return
    if not request.tags:
        raise InvalidArgument("several platforms go under one name: give it one with -t")
    if request.cache_to or request.debug_step:
        raise InvalidArgument("--cache-to and --debug-step are for one platform at a time")


def _failure(message: str, code: int = 0) -> Progress:
    return Progress(error_detail=ErrorDetail(code=code, message=message), error=message)
