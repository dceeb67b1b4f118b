"""Verbs of the builder. Source: Engine API, ImageBuild and BuildCancel."""

from __future__ import annotations

from knarr.client.call import TAR_TYPE, Call, Lines, query
from knarr.client.lean import TYPE_CHECKING, dumps

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import Any

    from knarr.spec.docker.progress import Progress


def build(
    context: bytes | Iterable[bytes],
    *,
    tags: Iterable[str] = (),
    dockerfile: str | None = None,
    remote: str | None = None,
    build_args: Mapping[str, str | None] | None = None,
    labels: Mapping[str, str] | None = None,
    cache_from: Iterable[str] = (),
    ulimits: Iterable[Mapping[str, Any]] = (),
    extra_hosts: Iterable[str] = (),
    limits: Mapping[str, Any] | None = None,
    own: Mapping[str, Any] | None = None,
    registry_config: str | None = None,
    **more: Any,
) -> Lines[Progress]:
    """Make an image from a Dockerfile and the files that it wants.

    limits: by the query's own names, ``memory``, ``cpuquota`` and so on.
    own: what knarr's engine knows besides; other engines do not look at it.
    more: ``target``, ``platform``, ``networkmode``, ``nocache``, ``pull``, ``rm``, ``squash``, …
    """
    pairs = query(
        t=list(tags), dockerfile=dockerfile or None, remote=remote or None,
        buildargs=dumps(dict(build_args)) if build_args else None,
        labels=dumps(dict(labels)) if labels else None,
        cachefrom=dumps(list(cache_from)) if cache_from else None,
        ulimits=dumps(list(ulimits)) if ulimits else None,
        extrahosts=list(extra_hosts),
        knarr=dumps(dict(own)) if own else None,
        **(limits or {}),
        **more,
    )  # fmt: skip
    headers: tuple[tuple[str, str], ...] = (("Content-Type", TAR_TYPE),)
    if registry_config:
        headers = (*headers, ("X-Registry-Config", registry_config))
    return Lines("POST", "/build", pairs, body=context, headers=headers)


def cancel(build_id: str) -> Call[None]:
    """End a build that was given this ID."""
    return Call("POST", "/build/cancel", query(id=build_id))
