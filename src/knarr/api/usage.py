"""`system df`: what takes the disk, and what of it could be freed.

Up to 1.51 lists of everything; from then on four sums, with their lists where ``verbose`` is asked
for. 1.52 alone has both, since some clients ask in no version.
Source: Engine API, SystemDataUsage.
"""

from collections.abc import Container, Iterable, Mapping, Sequence
from typing import Any, Final

import msgspec

from knarr.api.router import route
from knarr.api.shapes import Json, summary_shape
from knarr.api.versions import ApiVersion
from knarr.errors import InvalidArgument
from knarr.services import Engine

_KINDS: Final = ("image", "container", "volume", "build-cache")
_LISTS: Final = {
    "image": "Images", "container": "Containers", "volume": "Volumes", "build-cache": "BuildCache",
}  # fmt: skip
_SUMS: Final = {
    "image": "ImageUsage", "container": "ContainerUsage", "volume": "VolumeUsage",
    "build-cache": "BuildCacheUsage",
}  # fmt: skip
_LISTS_ALONE_UNTIL: Final[ApiVersion] = (1, 51)
_RUNS: Final = ("running", "paused", "restarting")


@route("GET", "/system/df")
async def disk_usage(
    engine: Engine,
    version: ApiVersion,
    *,
    type: tuple[str, ...] = (),  # noqa: A002
    verbose: bool = False,
) -> Json:
    """SystemDataUsage."""
    for name in type:
        if name not in _KINDS:
            raise InvalidArgument(f"unknown object type: {name}")
    wanted = type or _KINDS
    items = {kind: await _items(engine, kind) for kind in _KINDS if kind in wanted}
    layers_bytes = engine.images.layers_bytes() if "image" in wanted else 0
    lists = {"LayersSize": layers_bytes} | {_LISTS[kind]: items.get(kind) for kind in _KINDS}
    if version <= _LISTS_ALONE_UNTIL:
        return lists
    told = {_SUMS[kind]: sums(kind, each, layers_bytes) for kind, each in items.items()}
    if not verbose:
        return {**{name: each for name, each in lists.items() if each is not None}, **told}
    return {_SUMS[kind]: {**told[_SUMS[kind]], "Items": each} for kind, each in items.items()}


async def _items(engine: Engine, kind: str) -> list[Json]:
    match kind:
        case "image":
            found = engine.images.list({}, everything=True, shared_size=True)
            families: Mapping[str, Container[str]] = {
                str(leader): platforms for leader, platforms in engine.images.families().items()
            }
            return [
                _counted(engine, msgspec.to_builtins(each), families.get(each.id, (each.id,)))
                for each in found
            ]
        case "container":
            containers = await engine.views.list({}, everything=True, size=True)
            return [summary_shape(each) for each in containers]
        case "volume":
            return [msgspec.to_builtins(each) for each in await engine.volumes.usage()]
        case _:
            return [msgspec.to_builtins(each) for each in await engine.build_cache().usage()]


def _counted(engine: Engine, image: Json, platforms: Container[str]) -> Json:
    """platforms: the images that a name of several stands for."""
    image["Containers"] = sum(each.image in platforms for each in engine.views.all())
    return image


def sums(kind: str, items: Sequence[Json], layers_bytes: int) -> dict[str, Any]:
    """How many there are and are in use, and what they take; of images all layers once."""
    parts = [_PARTS[kind](item) for item in items]
    return {
        "ActiveCount": sum(in_use for in_use, _ in parts),
        "TotalCount": len(parts),
        "Reclaimable": _sum(size for in_use, size in parts if not in_use),
        "TotalSize": layers_bytes if kind == "image" else _sum(size for _, size in parts),
    }


def _sum(sizes: Iterable[int]) -> int:
    return sum(max(size, 0) for size in sizes)


def _of_image(image: Json) -> tuple[bool, int]:
    return bool(image["Containers"]), image["Size"] - max(image["SharedSize"], 0)


def _of_container(container: Json) -> tuple[bool, int]:
    return container["State"] in _RUNS, container.get("SizeRw", 0)


def _of_volume(volume: Json) -> tuple[bool, int]:
    return volume["UsageData"]["RefCount"] > 0, volume["UsageData"]["Size"]


def _of_cache(record: Json) -> tuple[bool, int]:
    return record["InUse"], 0 if record["Shared"] else record["Size"]


_PARTS: Final = {
    "image": _of_image, "container": _of_container, "volume": _of_volume, "build-cache": _of_cache,
}  # fmt: skip
