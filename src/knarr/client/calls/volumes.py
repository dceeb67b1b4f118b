"""Verbs of volumes. Source: Engine API, tag "Volume"; the last four are knarr's own."""

from __future__ import annotations

from knarr.client.call import TAR_TYPE, Call, Pieces, document, filters, path, query
from knarr.client.lean import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from knarr.client.call import Body, Filters
    from knarr.spec.docker.volume import Volume, VolumeList, VolumesPruned


def list_(*, where: Filters | None = None) -> Call[VolumeList]:
    """All volumes."""
    return Call("GET", "/volumes", query(filters=filters(where)))


def create(body: Body) -> Call[Volume]:
    """Make a volume, or find the one that has this name; ``body`` is a VolumeCreate."""
    return Call("POST", "/volumes/create", body=document(body))


def inspect(name: str) -> Call[Volume]:
    """All that the engine knows of one volume."""
    return Call("GET", path("volumes", name))


def remove(name: str, *, force: bool = False) -> Call[None]:
    """Remove a volume that no container has."""
    return Call("DELETE", path("volumes", name), query(force=force or None))


def prune(where: Filters | None = None) -> Call[VolumesPruned]:
    """Remove the anonymous volumes that no container has; all with ``{"all": ["true"]}``."""
    return Call("POST", "/volumes/prune", query(filters=filters(where)))


def rename(name: str, new_name: str) -> Call[None]:
    """Give a volume that no container has another name."""
    return Call("POST", path("volumes", name, "rename"), query(to=new_name))


def copy(name: str, new_name: str) -> Call[Volume]:
    """Make a volume with the same data, sharing blocks where the file system can."""
    return Call("POST", path("volumes", name, "copy"), query(to=new_name))


def export(name: str) -> Pieces:
    """A volume's data as a tar."""
    return Pieces("GET", path("volumes", name, "archive"))


def import_(name: str, archive: bytes | Iterable[bytes]) -> Call[Volume]:
    """Make a tar, compressed or not, the data of a volume: a new one, or one that is empty."""
    headers = (("Content-Type", TAR_TYPE),)
    return Call("PUT", path("volumes", name, "archive"), body=archive, headers=headers)
