"""Verbs of volumes. Source: Engine API, tag "Volume"."""

from __future__ import annotations

from knarr.client.call import Call, document, filters, path, query
from knarr.client.lean import TYPE_CHECKING

if TYPE_CHECKING:
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
