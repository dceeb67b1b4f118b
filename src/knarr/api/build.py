"""Endpoints of the builder. Source: Engine API, ImageBuild, BuildPrune; BuildCancel of moby.

The rooms that build are imported with the first request, a tenth of a second's work: in a thread,
so that nobody else waits for it.
"""

import asyncio
import base64
from collections.abc import AsyncIterator, Sequence
from importlib import import_module
from typing import TYPE_CHECKING

import msgspec

from knarr.api.router import Filters, only_known, route
from knarr.errors import InvalidArgument, Unsupported
from knarr.http.message import ByteSink, ByteSource, Hijack, Request, Response
from knarr.image.annotations import Annotations
from knarr.services import Engine
from knarr.spec.docker.auth import AuthConfig
from knarr.spec.docker.build import BuildCachePruned, BuildExtension, BuildFinding
from knarr.spec.docker.progress import Progress
from knarr.spec.document import decode

if TYPE_CHECKING:
    from knarr.dockerfile.check import Finding
    from knarr.dockerfile.request import FolderPlace

_NO_FILTERS = Filters({})
_H2C = {"Connection": "Upgrade", "Upgrade": "h2c"}
_ISOLATIONS = frozenset({"", "default"})


@route("POST", "/build")
async def build(
    engine: Engine,
    request: Request,
    *,
    dockerfile: str = "",
    t: tuple[str, ...] = (),
    extrahosts: tuple[str, ...] = (),
    remote: str = "",
    q: bool = False,
    nocache: bool = False,
    cachefrom: str = "",
    pull: bool = False,
    rm: bool = True,
    forcerm: bool = False,
    memory: int = 0,
    memswap: int = 0,
    cpushares: int = 0,
    cpusetcpus: str = "",
    cpusetmems: str = "",
    cpuperiod: int = 0,
    cpuquota: int = 0,
    buildargs: str = "",
    shmsize: int = 0,
    squash: bool = False,
    labels: str = "",
    networkmode: str = "",
    platform: str = "",
    target: str = "",
    outputs: str = "",
    buildid: str = "",
    cgroupparent: str = "",
    isolation: str = "",
    session: str = "",
    ulimits: str = "",
    securityopt: str = "",
    knarr: str = "",
) -> AsyncIterator[Progress | BuildFinding]:
    """ImageBuild: the classic builder's form; ``knarr`` is a JSON object of knarr's own client."""
    await asyncio.to_thread(import_module, "knarr.dockerfile.service")
    from knarr.build import Resources
    from knarr.dockerfile.request import (
        BuildRequest,
        read_hosts,
        read_map,
        read_strings,
        read_ulimits,
    )

    if isolation not in _ISOLATIONS:
        raise InvalidArgument(f'invalid isolation "{isolation}": must be default')
    if securityopt not in {"", "null", "[]"}:
        raise InvalidArgument(
            "The daemon on this platform does not support setting security options on build"
        )
    own = decode(knarr or "{}", BuildExtension)
    wanted = BuildRequest(
        dockerfile=dockerfile or "Dockerfile",
        tags=tuple(tag for tag in t if tag),
        annotations=Annotations.parse(own.annotations),
        remote=remote,
        build_args=read_map("buildargs", buildargs),
        labels={name: str(value or "") for name, value in read_map("labels", labels).items()},
        target=target,
        platform=platform,
        network=networkmode,
        hosts=read_hosts(extrahosts),
        resources=Resources(
            memory_bytes=memory,
            memory_swap_bytes=memswap,
            cpu_shares=cpushares,
            cpu_period_us=cpuperiod,
            cpu_quota_us=cpuquota,
            cpuset_cpus=cpusetcpus,
            cpuset_mems=cpusetmems,
            shm_bytes=shmsize,
            ulimits=read_ulimits(ulimits),
            cgroup_parent=cgroupparent,
        ),
        quiet=q,
        no_cache=nocache,
        no_cache_filter=own.no_cache_filter,
        cache_from=read_strings("cachefrom", cachefrom),
        cache_from_alone=not knarr,
        pull=pull,
        remove=rm or forcerm,
        squash=squash,
        build_id=buildid,
        logins=_logins(request.headers.get("x-registry-config", "")),
        extras=own.extras,
        folder=_folder(own),
        contexts=own.contexts,
        agents=own.agents,
        project=own.project,
        trace=own.trace,
        keep_failed=own.keep_failed,
        allow=own.allow,
        timeout_s=own.timeout_seconds or None,
        debug_step=own.debug_step,
        cache_to=own.cache_to,
        cache_whole=own.cache_whole,
        inline_cache=own.inline_cache,
    )
    builder = request.query().get("version", ["1"])[-1]  # `version` is the API's own elsewhere
    if builder == "2":
        return await engine.buildkit.open().build(wanted, session, outputs)
    if builder not in {"", "1"} or remote == "client-session":
        raise InvalidArgument(f'invalid version "{builder}" of the builder: 1 and 2 are known')
    if outputs not in {"", "null", "[]"}:
        raise Unsupported("outputs are BuildKit's: the image itself is the output here")
    if own.check:
        return _found(await engine.builds.check(wanted, aiter(request.body)))
    if own.call:
        return _said(await engine.builds.answer(wanted, aiter(request.body), own.call))
    return await engine.builds.build(wanted, aiter(request.body))


@route("POST", "/build/prune")
async def prune(
    engine: Engine,
    *,
    all: bool = False,  # noqa: A002
    filters: Filters = _NO_FILTERS,
    keep_storage: int = 0,
    reserved_space: int = 0,
    max_used_space: int = 0,
    min_free_space: int = 0,
) -> BuildCachePruned:
    """BuildPrune."""
    from knarr.build.housekeeping import FILTERS, Prune

    only_known(filters, *FILTERS)
    return await engine.build_cache().prune(
        Prune(
            everything=all,
            filters=filters,
            reserved_bytes=reserved_space or keep_storage,
            max_used_bytes=max_used_space,
            min_free_bytes=min_free_space,
        )
    )


@route("POST", "/build/cancel")
async def cancel(engine: Engine, *, id: str = "") -> None:  # noqa: A002
    """BuildCancel."""
    engine.builds.cancel(id)


@route("GET", "/knarr/images/{name:path}/files")
async def files(engine: Engine, name: str) -> Response:
    """knarr's own: an image's file system as one tar, without what a container adds to it."""
    headers = {"Content-Type": "application/x-tar"}
    return Response(headers=headers, body=await engine.builds.files(name))


@route("POST", "/session")
async def session(engine: Engine, request: Request) -> Hijack:
    """Session: a connection on which the client serves its files, secrets and logins."""
    _refuse_other_upgrades(request)
    await asyncio.to_thread(import_module, "knarr.buildkit.gateway")
    sessions = engine.buildkit.open().sessions
    identifier = request.headers.get("x-docker-expose-session-uuid", "")
    sessions.refuse(identifier)
    methods = request.headers.get("x-docker-expose-session-grpc-method", "").split(",")

    async def talk(source: ByteSource, sink: ByteSink) -> None:
        await sessions.carry(identifier, (each.strip() for each in methods), source, sink)

    return Hijack(talk=talk, headers=_H2C)


@route("POST", "/grpc")
async def grpc(engine: Engine, request: Request) -> Hijack:
    """BuildKit's control interface (src/knarr/buildkit)."""
    _refuse_other_upgrades(request)
    await asyncio.to_thread(import_module, "knarr.buildkit.gateway")
    return Hijack(talk=engine.buildkit.open().talk, headers=_H2C)


def _refuse_other_upgrades(request: Request) -> None:
    if request.headers.get("upgrade", "").lower() != "h2c":
        raise InvalidArgument("this endpoint speaks HTTP/2: ask with Upgrade: h2c")


def _folder(own: BuildExtension) -> "FolderPlace | None":
    from knarr.dockerfile.request import FolderPlace

    if own.folder is None:
        return None
    return FolderPlace(path=own.folder.path, device=own.folder.device, inode=own.folder.inode)


def _logins(header: str) -> dict[str, AuthConfig]:
    """X-Registry-Config: who the client is, by registry."""
    if not header:
        return {}
    try:
        padded = header + "=" * (-len(header) % 4)
        logins = msgspec.json.decode(
            base64.b64decode(padded, altchars=b"-_"), type=dict[str, msgspec.Raw] | None
        )
    except (ValueError, msgspec.MsgspecError) as error:
        raise InvalidArgument("X-Registry-Config is not valid base64url JSON") from error
    return {server: decode(bytes(login), AuthConfig) for server, login in (logins or {}).items()}


async def _said(text: str) -> AsyncIterator[Progress]:
    yield Progress(stream=text)


async def _found(found: "Sequence[Finding]") -> AsyncIterator[BuildFinding]:
    for each in found:
        logical = each.statement.line.logical
        yield BuildFinding(
            rule=each.rule.name,
            description=each.rule.description,
            url=each.rule.url,
            detail=each.problem,
            file=logical.source.name,
            line=each.statement.place.line,
            last_line=logical.last_line,
            text=each.text,
        )
