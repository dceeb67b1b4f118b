"""Verbs of the engine itself. Source: Engine API, tag "System"."""

from __future__ import annotations

from knarr.client.call import Call, Lines, document, filters, query
from knarr.client.lean import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from knarr.client.call import Body, Filters
    from knarr.spec.docker.build import BuildCachePruned
    from knarr.spec.docker.progress import Progress
    from knarr.spec.docker.system import (
        AuthResponse,
        DataUsage,
        EventMessage,
        SystemInfo,
        SystemVersion,
    )


def ping() -> Call[None]:
    """Whether the engine answers."""
    return Call("HEAD", "/_ping")


def version() -> Call[SystemVersion]:
    """The engine's version and its parts'."""
    return Call("GET", "/version")


def info() -> Call[SystemInfo]:
    """The engine's settings, and how much it holds."""
    return Call("GET", "/info")


def events(
    *, since: str | None = None, until: str | None = None, where: Filters | None = None
) -> Lines[EventMessage]:
    """What happens, as it happens; ``since`` and ``until`` are Unix seconds with a fraction."""
    pairs = query(filters=filters(where), since=since or None, until=until or None)
    return Lines("GET", "/events", pairs)


def data_usage(*, types: Iterable[str] = ()) -> Call[DataUsage]:
    """Where the disk space is; ``types`` of container, image, volume, build-cache."""
    return Call("GET", "/system/df", query(type=list(types)))


def auth(body: Body) -> Call[AuthResponse]:
    """Check credentials with a registry; ``body`` is an AuthConfig."""
    return Call("POST", "/auth", body=document(body))


def prune_build_cache(
    *, all_: bool = False, keep_bytes: int | None = None, where: Filters | None = None
) -> Call[BuildCachePruned]:
    """Remove what builds have kept for the next time."""
    pairs = query(all=all_ or None, filters=filters(where), **{"keep-storage": keep_bytes})
    return Call("POST", "/build/prune", pairs)


def fsck(*, repair: bool = False) -> Lines[Progress]:
    """knarr's own: read the store again; ``aux`` of the last message is a CheckReport."""
    return Lines("POST", "/knarr/system/fsck", query(repair=repair or None))


def convert_layers(to: str = "") -> Lines[Progress]:
    """knarr's own: all layers by that snapshotter, empty for the one of new layers."""
    return Lines("POST", "/knarr/system/convert-layers", query(to=to or None))
