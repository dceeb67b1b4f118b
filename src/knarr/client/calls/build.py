"""The verb that builds an image. Source: Engine API, ImageBuild."""

from __future__ import annotations

from knarr.client.call import TAR_TYPE, Lines, query
from knarr.client.lean import TYPE_CHECKING, dumps

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from knarr.spec.docker.progress import Progress


def build(
    context: Iterable[bytes] | None,
    *,
    dockerfile: str | None = None,
    remote: str | None = None,
    tags: Iterable[str] = (),
    args: Mapping[str, str | None] | None = None,
    labels: Mapping[str, str] | None = None,
    cache_from: Iterable[str] = (),
    target: str | None = None,
    network: str | None = None,
    extra_hosts: Iterable[str] = (),
    platform: str | None = None,
    no_cache: bool = False,
    pull: bool = False,
    quiet: bool = False,
    squash: bool = False,
    shm_size: int | None = None,
    memory: int | None = None,
    isolation: str | None = None,
    ulimits: Iterable[Mapping[str, str | int]] = (),
    registries: str | None = None,
) -> Lines[Progress]:
    """Build the archive ``context``, or what is at ``remote`` (a repository, a tarball).

    dockerfile: its path in the context.  args: None as a value takes the engine's environment.
    shm_size, memory: bytes.  registries: base64url JSON of credentials by registry.
    """
    cached, limits = list(cache_from), list(ulimits)
    pairs = query(
        buildargs=dumps(dict(args)) if args else None,
        cachefrom=dumps(cached) if cached else None,
        dockerfile=dockerfile or None,
        extrahosts="\n".join(extra_hosts) or None,
        forcerm=True,
        isolation=isolation or None,
        labels=dumps(dict(labels)) if labels else None,
        memory=memory or None,
        networkmode=network or None,
        nocache=no_cache or None,
        platform=platform or None,
        pull=pull or None,
        q=quiet or None,
        remote=remote or None,
        rm=True,
        shmsize=shm_size or None,
        squash=squash or None,
        t=list(tags),
        target=target or None,
        ulimits=dumps([dict(limit) for limit in limits]) if limits else None,
    )
    headers = [("Content-Type", TAR_TYPE)] if context is not None else []
    if registries:
        headers.append(("X-Registry-Config", registries))
    return Lines("POST", "/build", pairs, body=context, headers=tuple(headers))
