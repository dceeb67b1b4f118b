"""knarr's own endpoints: the upkeep of its store, a look into images, what shares what."""

from collections.abc import AsyncIterator

from knarr.api.router import route
from knarr.services import Engine
from knarr.spec.docker.progress import Progress
from knarr.spec.knarr.image import ImageDifference, ImageLayers, StoreShare


@route("POST", "/knarr/system/fsck")
async def fsck(engine: Engine, *, repair: bool = False) -> AsyncIterator[Progress]:
    """Read all blobs and layers again; the last message has a CheckReport."""
    return engine.upkeep.check.run(repair=repair)


@route("POST", "/knarr/system/convert-layers")
async def convert_layers(engine: Engine, *, to: str = "") -> AsyncIterator[Progress]:
    """All layers by another snapshotter; the last message has ConvertedLayers."""
    return engine.upkeep.converter.convert(to)


@route("GET", "/knarr/images/explain")
async def explain(engine: Engine) -> StoreShare:
    """What shares what, and what removing it would free."""
    return engine.images.sharing(engine.upkeep.holders.name_of)


@route("GET", "/knarr/images/{name:path}/show")
async def show(engine: Engine, name: str, *, files: bool = False) -> ImageLayers:
    """Each step of an image, and what its layer did."""
    return await engine.images.looking.show(name, files=files)


@route("GET", "/knarr/images/{name:path}/diff")
async def diff(engine: Engine, name: str, *, to: str = "") -> ImageDifference:
    """How the image ``to`` differs from this one."""
    return await engine.images.looking.diff(name, to)
