"""Attaching to a container: over a hijacked connection, or over a WebSocket."""

import asyncio
from dataclasses import dataclass
from typing import Final

from knarr.api.router import route
from knarr.api.streams import converse, detach_sequence, hijack, refused_in_text, stream_headers
from knarr.api.versions import ApiVersion
from knarr.api.websocket import FromWebSocket, ToWebSocket, accepted
from knarr.container.model import Container
from knarr.errors import InvalidArgument
from knarr.http.message import ByteSink, ByteSource, Conversation, Hijack, Request
from knarr.runtime.log import LogQuery
from knarr.runtime.logtext import LogText
from knarr.services import Engine

# docker-py reads the head through a buffer, and loses what comes along with it.
_HEAD_START_S: Final = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class Wishes:
    """What to attach. logs: what was written before, first; stream: what comes from now on.

    detach_keys: as the client wrote them; empty where it said nothing.
    """

    logs: bool
    stream: bool
    stdin: bool
    stdout: bool
    stderr: bool
    detach_keys: str
    framed: bool


@route("POST", "/containers/{ref}/attach")
@refused_in_text
async def attach(
    engine: Engine,
    ref: str,
    request: Request,
    version: ApiVersion,
    *,
    detach_keys: str = "",
    logs: bool = False,
    stream: bool = False,
    stdin: bool = False,
    stdout: bool = False,
    stderr: bool = False,
) -> Hijack:
    """ContainerAttach: the container's own streams, before, while and as it runs."""
    container = engine.views.find(ref)
    wishes = Wishes(
        logs=logs,
        stream=stream,
        stdin=stdin,
        stdout=stdout,
        stderr=stderr,
        detach_keys=detach_keys,
        framed=not container.record.config.tty,
    )
    talk = await _talk(engine, container, wishes)
    return hijack(request, talk, stream_headers(terminal=not wishes.framed, version=version))


@route("GET", "/containers/{ref}/attach/ws")
async def attach_websocket(
    engine: Engine,
    ref: str,
    request: Request,
    *,
    detach_keys: str = "",
    logs: bool = False,
    stream: bool = False,
    stdin: bool = True,
    stdout: bool = True,
    stderr: bool = True,
) -> Hijack:
    """ContainerAttachWebsocket: both outputs as they come, in binary messages."""
    container = engine.views.find(ref)
    if request.headers.get("upgrade", "").lower() != "websocket":
        raise InvalidArgument("attach/ws needs a WebSocket client: no upgrade was asked for")
    wishes = Wishes(
        logs=logs,
        stream=stream,
        stdin=stdin,
        stdout=stdout,
        stderr=stderr,
        detach_keys=detach_keys,
        framed=False,
    )
    talk = await _talk(engine, container, wishes)

    async def wrapped(source: ByteSource, sink: ByteSink) -> None:
        outward = ToWebSocket(sink)
        await talk(FromWebSocket(source, outward), outward)
        outward.close()

    return Hijack(talk=wrapped, headers=accepted(request), status=101)


async def _talk(engine: Engine, container: Container, wishes: Wishes) -> Conversation:
    detach_sequence(wishes.detach_keys)  # a bad one is refused before the connection is taken over
    if wishes.logs and not wishes.stream:
        await engine.views.first_words(container.id)
    channel, place = await engine.containers.attach(
        container.id,
        stdin=wishes.stdin and wishes.stream,
        stdout=wishes.stdout,
        stderr=wishes.stderr,
        framed=wishes.framed,
    )

    def keys() -> bytes:
        """Asked when something is typed: who waits for the start hears what that said."""
        now = engine.views.find(container.id)
        return detach_sequence(wishes.detach_keys or now.state.detach_keys)

    query = LogQuery(stdout=wishes.stdout, stderr=wishes.stderr, until_place=place)

    async def talk(source: ByteSource, sink: ByteSink) -> None:
        if wishes.logs:
            if not wishes.stream:
                await asyncio.sleep(_HEAD_START_S)
            text = LogText(framed=wishes.framed)
            async for batch in engine.views.logs(container.id, query, follow=False):
                sink.write(text.encode(batch))
                await sink.drain()
        if not wishes.stream:
            channel.close()
            return
        await converse(
            source,
            sink,
            channel,
            detach_keys=keys if container.record.config.tty else None,
            on_detach=lambda: engine.containers.tell(container.id, "detach"),
        )

    return talk
