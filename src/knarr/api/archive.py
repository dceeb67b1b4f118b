"""Endpoints for files in and out of containers. Source: Engine API, tag Container."""

import asyncio
import base64
from collections.abc import Mapping, Sequence

from knarr.api.router import route
from knarr.errors import InvalidArgument
from knarr.http.feed import Feed
from knarr.http.message import Request, Response
from knarr.services import Engine
from knarr.spec import encode
from knarr.spec.docker.container import FilesystemChange, PathStat


@route("HEAD", "/containers/{ref}/archive")
async def look(engine: Engine, ref: str, *, path: str = "") -> Response:
    """ContainerArchiveInfo: what is at a path, in a header."""
    return Response(headers=_stat_header(await engine.copier.look(ref, _given(path))))


@route("GET", "/containers/{ref}/archive")
async def read(engine: Engine, ref: str, *, path: str = "") -> Response:
    """ContainerArchive: what is at a path, as a tar."""
    found, body = await engine.copier.read(ref, _given(path))
    headers = {"Content-Type": "application/x-tar", **_stat_header(found)}
    return Response(headers=headers, body=body)


@route("PUT", "/containers/{ref}/archive")
async def write(
    engine: Engine,
    ref: str,
    request: Request,
    *,
    path: str = "",
    no_overwrite_dir_non_dir: bool = False,
    copy_uid_gid: bool = False,
) -> Response:
    """PutContainerArchive: a tar, compressed or not, into a directory."""
    feed = Feed()
    pumping = asyncio.ensure_future(feed.pump(aiter(request.body)))
    try:
        await engine.copier.write(
            ref,
            _given(path),
            feed.read,
            as_user=copy_uid_gid,
            keep_kinds=no_overwrite_dir_non_dir,
        )
    finally:
        feed.stop()
        pumping.cancel()
        await asyncio.gather(pumping, return_exceptions=True)
    return Response(status=200)


@route("GET", "/containers/{ref}/export")
async def export(engine: Engine, ref: str) -> Response:
    """ContainerExport: the root file system as a tar."""
    body = await engine.copier.export(ref)
    return Response(headers={"Content-Type": "application/octet-stream"}, body=body)


@route("GET", "/containers/{ref}/changes")
async def changes(engine: Engine, ref: str) -> Sequence[FilesystemChange]:
    """ContainerChanges."""
    return await engine.copier.changes(ref)


def _given(path: str) -> str:
    if not path:
        raise InvalidArgument("missing required parameter: path")
    return path


def _stat_header(found: PathStat) -> Mapping[str, str]:
    return {"X-Docker-Container-Path-Stat": base64.b64encode(encode(found)).decode()}
