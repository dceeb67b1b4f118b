"""knarr's own endpoints for the upkeep of its store."""

from collections.abc import AsyncIterator

from knarr.api.router import route
from knarr.engine import Engine
from knarr.spec.docker.progress import Progress


@route("POST", "/knarr/system/fsck")
async def fsck(engine: Engine, *, repair: bool = False) -> AsyncIterator[Progress]:
    """Read all blobs and layers again; the last message has a CheckReport."""
    return engine.upkeep.check.run(repair=repair)


@route("POST", "/knarr/system/convert-layers")
async def convert_layers(engine: Engine, *, to: str = "") -> AsyncIterator[Progress]:
    """All layers by another snapshotter; the last message has ConvertedLayers."""
    return engine.upkeep.converter.convert(to)
