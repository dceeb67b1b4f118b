"""`system df`: what takes the disk, and what of it could be freed.

Source: Engine API, SystemDataUsage.
"""

from typing import Any

import msgspec

from knarr.api.router import route
from knarr.api.shapes import Json, summary_shape
from knarr.services import Engine

_KINDS = ("image", "container", "volume", "build-cache")


@route("GET", "/system/df")
async def disk_usage(engine: Engine, *, type: tuple[str, ...] = ()) -> Json:  # noqa: A002
    """SystemDataUsage, in the shape of versions before 1.52."""
    wanted = type or _KINDS
    answer: dict[str, Any] = {
        "LayersSize": 0, "Images": None, "Containers": None, "Volumes": None, "BuildCache": None,
    }  # fmt: skip
    if "image" in wanted:
        answer["LayersSize"] = engine.images.layers_bytes()
        found = engine.images.list({}, everything=True, shared_size=True)
        answer["Images"] = [_counted(engine, msgspec.to_builtins(each)) for each in found]
    if "container" in wanted:
        containers = await engine.views.list({}, everything=True, size=True)
        answer["Containers"] = [summary_shape(each) for each in containers]
    if "volume" in wanted:
        answer["Volumes"] = await engine.volumes.usage()
    if "build-cache" in wanted:
        usage = await engine.builds.cache.usage()
        answer["BuildCache"] = [msgspec.to_builtins(each) for each in usage]
    return answer


def _counted(engine: Engine, image: Json) -> Json:
    image["Containers"] = sum(each.image == image["Id"] for each in engine.views.all())
    return image
