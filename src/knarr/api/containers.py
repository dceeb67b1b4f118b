"""Endpoints of containers. Source: Engine API, tag Container."""

import time
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing
from urllib.parse import quote_plus

from msgspec.structs import replace

from knarr.api.absent import CHECKPOINTS
from knarr.api.router import Filters, only_known, route
from knarr.api.shapes import Json, inspect_shape, summary_shape
from knarr.api.streams import detach_sequence, stream_headers
from knarr.api.versions import ApiVersion
from knarr.container import Condition
from knarr.container.filters import KNOWN
from knarr.container.logs.details import details as details_of
from knarr.container.logs.details import tag
from knarr.container.logs.options import is_readable
from knarr.container.model import Container
from knarr.errors import InvalidArgument, NotFound, Unsupported
from knarr.http.frames import LINES_TOGETHER
from knarr.http.message import Request, Response
from knarr.image import new_name
from knarr.runtime.log import Batch, LogQuery
from knarr.runtime.logtext import LogText
from knarr.services import Engine
from knarr.spec import encode
from knarr.spec.docker.container import (
    ContainerConfig,
    ContainerCreate,
    ContainerCreated,
    ContainersPruned,
    ContainerTop,
    ContainerUpdate,
    ContainerUpdated,
    ContainerWait,
    WaitExitError,
)
from knarr.spec.docker.stats import ContainerStats
from knarr.spec.docker.system import IdResponse
from knarr.times import moment_ns

_NO_FILTERS = Filters({})
_LAST_WITH_OLD_WAYS: ApiVersion = (1, 51)
_EMPTY_BINDINGS = (
    "Following container port(s) have an empty list of port-bindings: {}. "
    "Such bindings will be discarded in a future version."
)


@route("GET", "/containers/json")
async def containers(
    engine: Engine,
    *,
    all: bool = False,  # noqa: A002
    limit: int = 0,
    size: bool = False,
    filters: Filters = _NO_FILTERS,
) -> Sequence[Json]:
    """ContainerList."""
    only_known(filters, *KNOWN)
    found = await engine.views.list(filters, everything=all, limit=limit, size=size)
    return [summary_shape(each) for each in found]


@route("POST", "/containers/create", status=201)
async def create(
    engine: Engine,
    body: ContainerCreate,
    version: ApiVersion,
    *,
    name: str = "",
    platform: str = "",
) -> ContainerCreated:
    """ContainerCreate: 404 if the image is not here, 409 if the name is in use."""
    if body.mac_address and version > _LAST_WITH_OLD_WAYS:
        raise InvalidArgument(
            "container-wide MAC address no longer supported; "
            "use endpoint-specific MAC address instead"
        )
    made = await engine.containers.create(body, name, platform=platform)
    bindings = body.host_config.port_bindings if body.host_config else {}
    empty = ", ".join(port for port, each in bindings.items() if each is not None and not each)
    if empty and version > _LAST_WITH_OLD_WAYS:
        return replace(made, warnings=(*made.warnings, _EMPTY_BINDINGS.format(empty)))
    return made


@route("POST", "/commit", status=201)
async def commit(
    engine: Engine,
    body: ContainerConfig,
    *,
    container: str = "",
    repo: str = "",
    tag: str = "",
    comment: str = "",
    author: str = "",
    pause: bool = True,
    changes: tuple[str, ...] = (),
) -> IdResponse:
    """ImageCommit: the container's present files as an image."""
    from knarr.dockerfile.changes import edited

    lines = tuple(line for each in changes for line in each.splitlines())
    image = await engine.committer.commit(
        container,
        name=new_name(repo, tag) if repo else None,
        comment=comment,
        author=author,
        pause=pause,
        wanted=body,
        edit=lambda config: edited(config, lines),
    )
    return IdResponse(id=image)


@route("POST", "/containers/prune")
async def prune(engine: Engine, *, filters: Filters = _NO_FILTERS) -> ContainersPruned:
    """ContainerPrune."""
    only_known(filters, "until", "label", "label!")
    return await engine.containers.prune(filters)


@route("GET", "/containers/{ref}/json")
async def inspect(engine: Engine, ref: str, version: ApiVersion, *, size: bool = False) -> Json:
    """ContainerInspect."""
    return inspect_shape(await engine.views.inspect(ref, size=size), version)


@route("GET", "/containers/{ref}/top")
async def top(engine: Engine, ref: str, *, ps_args: str = "-ef") -> ContainerTop:
    """ContainerTop."""
    return await engine.views.top(ref, ps_args)


@route("GET", "/containers/{ref}/stats")
async def stats(
    engine: Engine, ref: str, *, stream: bool = True, one_shot: bool = False
) -> AsyncIterator[ContainerStats] | ContainerStats:
    """ContainerStats: one document a second, or just one."""
    if stream:
        return engine.views.stats(ref)
    return await engine.views.stats_once(ref, one_shot=one_shot)


@route("POST", "/containers/{ref}/start")
async def start(
    engine: Engine,
    ref: str,
    *,
    detach_keys: str = "",
    checkpoint: str = "",
    checkpoint_dir: str = "",
) -> None:
    """ContainerStart: 204 once it runs, 304 if it ran already."""
    detach_sequence(detach_keys)
    if checkpoint or checkpoint_dir:
        raise Unsupported(CHECKPOINTS)
    await engine.containers.start(ref, detach_keys=detach_keys)


@route("POST", "/containers/{ref}/stop")
async def stop(engine: Engine, ref: str, *, t: int | None = None, signal: str = "") -> None:
    """ContainerStop: 204 once it has stopped, 304 if it was not running, 404 if unknown."""
    await engine.containers.stop(ref, grace=t, signal=signal)


@route("POST", "/containers/{ref}/restart")
async def restart(engine: Engine, ref: str, *, t: int | None = None, signal: str = "") -> None:
    """ContainerRestart."""
    await engine.containers.restart(ref, grace=t, signal=signal)


@route("POST", "/containers/{ref}/kill")
async def kill(engine: Engine, ref: str, *, signal: str = "") -> None:
    """ContainerKill: 409 if it does not run."""
    await engine.containers.kill(ref, signal)


@route("POST", "/containers/{ref}/pause")
async def pause(engine: Engine, ref: str) -> None:
    """ContainerPause."""
    await engine.containers.pause(ref)


@route("POST", "/containers/{ref}/unpause")
async def unpause(engine: Engine, ref: str) -> None:
    """ContainerUnpause."""
    await engine.containers.unpause(ref)


@route("POST", "/containers/{ref}/update")
async def update(engine: Engine, ref: str, body: ContainerUpdate) -> ContainerUpdated:
    """ContainerUpdate."""
    return await engine.containers.update(ref, body)


@route("POST", "/containers/{ref}/rename")
async def rename(engine: Engine, ref: str, *, name: str = "") -> None:
    """ContainerRename."""
    await engine.containers.rename(ref, name)


@route("POST", "/containers/{ref}/resize")
async def resize(engine: Engine, ref: str, *, h: int = 0, w: int = 0) -> Response:
    """ContainerResize."""
    await engine.containers.resize(ref, rows=h, columns=w)
    return Response(status=200)


@route("DELETE", "/containers/{ref}")
async def remove(
    engine: Engine, ref: str, *, v: bool = False, force: bool = False, link: bool = False
) -> None:
    """ContainerDelete."""
    if link:
        raise InvalidArgument(
            "Conflict, cannot remove the default link name of the container:"
            f" {ref} is no link, name it as CONTAINER/ALIAS"
        )
    await engine.containers.remove(ref, force=force, volumes=v)


@route("DELETE", "/containers/{ref}/{alias}")
async def remove_link(engine: Engine, ref: str, alias: str, *, link: bool = False) -> None:
    """ContainerDelete of a legacy link: what is linked stays."""
    if not link:
        raise NotFound(f"No such container: {ref}/{alias}")
    await engine.containers.unlink(ref, alias)


@route("POST", "/containers/{ref}/wait")
async def wait(engine: Engine, ref: str, *, condition: str = "") -> Response:
    """ContainerWait: the head goes out at once, the body when the condition holds."""
    body = _ended(engine, engine.views.find(ref).id, Condition.of(condition))
    return Response(headers={"Content-Type": "application/json"}, body=body)


async def _ended(engine: Engine, ref: str, condition: Condition) -> AsyncIterator[bytes]:
    async with engine.containers.waiting(ref, condition) as future:
        ended = await future
    error = WaitExitError(message=ended.error) if ended.error else None
    yield encode(ContainerWait(status_code=ended.exit_code, error=error)) + b"\n"


@route("GET", "/containers/{ref}/logs")
async def logs(
    engine: Engine,
    ref: str,
    request: Request,
    version: ApiVersion,
    *,
    follow: bool = False,
    stdout: bool = False,
    stderr: bool = False,
    since: str = "",
    until: str = "",
    timestamps: bool = False,
    tail: str = "all",
    details: bool = False,
) -> Response:
    """ContainerLogs: what the container wrote, as frames by stream, or raw with a terminal."""
    if not (stdout or stderr):
        raise InvalidArgument("Bad parameters: you must choose at least one stream")
    container = engine.views.find(ref)
    if not is_readable(container.record.host.log_config):
        raise Unsupported("configured logging driver does not support reading")
    if not follow:
        await engine.views.first_words(container.id)
    now_ns = time.time_ns()
    query = LogQuery(
        stdout=stdout,
        stderr=stderr,
        since_ns=moment_ns(since, now_ns) if since else 0,
        until_ns=moment_ns(until, now_ns) if until and until != "0" else None,
        tail=int(tail) if tail.isdecimal() else None,
    )
    terminal = container.record.config.tty
    prefix = _attributes(container) if details else b""
    text = LogText(
        framed=not terminal,
        together=_minds_no_frames(request),
        timestamps=timestamps,
        prefix=prefix,
    )
    batches = engine.views.logs(container.id, query, follow=follow)
    headers = stream_headers(terminal=terminal, version=version)
    return Response(headers=headers, body=_encoded(batches, text))


def _minds_no_frames(request: Request) -> bool:
    """Whether the client only copies what is in the frames, so that they may hold many lines.

    docker's command line does; with a frame for each line it takes a system call for each.
    """
    agent = request.headers.get("user-agent", "")
    return request.headers.get("accept") == LINES_TOGETHER or agent.startswith("Docker-Client/")


async def _encoded(batches: AsyncGenerator[Batch, None], text: LogText) -> AsyncIterator[bytes]:
    async with aclosing(batches):
        async for batch in batches:
            yield text.encode(batch)


def _attributes(container: Container) -> bytes:
    """What ``--details`` puts before each line: what --log-opt asked for, and the tag if it did."""
    config = container.record.host.log_config
    asked = config is not None and config.config.get("tag")
    found = {**details_of(container), **({"tag": tag(container)} if asked else {})}
    pairs = (f"{quote_plus(key)}={quote_plus(value)}" for key, value in sorted(found.items()))
    return ",".join(pairs).encode() + b" "
