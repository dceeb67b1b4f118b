"""Endpoints of volumes. Source: Engine API, tag Volume; the last three are knarr's own."""

import asyncio
from typing import Final

from knarr.api.router import Filters, route
from knarr.api.versions import ApiVersion
from knarr.errors import InvalidArgument, Unavailable
from knarr.http.feed import Feed
from knarr.http.message import Request, Response
from knarr.http.outflow import outflow
from knarr.services import Engine
from knarr.spec.docker.volume import Volume, VolumeCreate, VolumeList, VolumesPruned
from knarr.volume.service import document

_NO_FILTERS = Filters({})
_TAR: Final = {"Content-Type": "application/x-tar"}
_PRUNES_ANONYMOUS_SINCE: Final[ApiVersion] = (1, 42)


@route("GET", "/volumes")
async def volumes(engine: Engine, *, filters: Filters = _NO_FILTERS) -> VolumeList:
    """VolumeList."""
    return engine.volumes.list(filters)


@route("POST", "/volumes/create", status=201)
async def create(engine: Engine, body: VolumeCreate) -> Volume:
    """VolumeCreate: one that is there already is answered as it is."""
    return engine.volumes.create(body)


@route("POST", "/volumes/prune")
async def prune(
    engine: Engine, version: ApiVersion, *, filters: Filters = _NO_FILTERS
) -> VolumesPruned:
    """VolumePrune: anonymous volumes; all of them with the filter ``all``, and before 1.42."""
    if version < _PRUNES_ANONYMOUS_SINCE:
        filters = Filters({**filters, "all": ("true",)})
    return await engine.volumes.prune(filters)


@route("GET", "/volumes/{name}")
async def inspect(engine: Engine, name: str) -> Volume:
    """VolumeInspect: 404 if unknown."""
    return engine.volumes.inspect(name)


@route("PUT", "/volumes/{name}")
async def update(engine: Engine, name: str) -> None:
    """VolumeUpdate: of cluster volumes alone."""
    engine.volumes.get(name)
    raise Unavailable("volume update only valid for cluster volumes, but swarm is unavailable")


@route("DELETE", "/volumes/{name}")
async def remove(engine: Engine, name: str, *, force: bool = False) -> None:
    """VolumeDelete: 409 while a container has it."""
    await engine.volumes.remove(name, force=force)


@route("POST", "/volumes/{name}/rename")
async def rename(engine: Engine, name: str, *, to: str = "") -> None:
    """A new name for a volume that no container has."""
    if not to:
        raise InvalidArgument("the new name is missing: say ?to=NAME")
    await engine.volumes.rename(name, to)


@route("POST", "/volumes/{name}/copy", status=201)
async def copy(engine: Engine, name: str, *, to: str = "") -> Volume:
    """A new volume with the same data, sharing blocks where the file system can."""
    if not to:
        raise InvalidArgument("the new volume's name is missing: say ?to=NAME")
    return document(await engine.volumes.clone(name, to))


@route("GET", "/volumes/{name}/archive")
async def export(engine: Engine, name: str) -> Response:
    """A volume's data as a tar."""
    return Response(headers=_TAR, body=outflow(engine.volumes.pack(name)))


@route("PUT", "/volumes/{name}/archive", status=201)
async def import_(engine: Engine, name: str, request: Request) -> Volume:
    """A tar, compressed or not, as the data of a volume: a new one, or one that is empty."""
    feed = Feed()
    pumping = asyncio.ensure_future(feed.pump(aiter(request.body)))
    try:
        return document(await engine.volumes.import_(name, feed.read))
    finally:
        feed.stop()
        pumping.cancel()
        await asyncio.gather(pumping, return_exceptions=True)
