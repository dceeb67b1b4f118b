"""Endpoints of exec: further processes in a running container. Source: Engine API, tag Exec."""

from knarr.api.router import route
from knarr.api.streams import converse, detach_sequence, hijack, stream_headers
from knarr.api.versions import ApiVersion
from knarr.engine import Engine
from knarr.http.frames import frame
from knarr.http.message import (
    Answer,
    ByteSink,
    ByteSource,
    Conversation,
    Request,
    Response,
)
from knarr.runtime import StartFailed
from knarr.spec.docker.exec import ExecCreate, ExecInspect, ExecStart
from knarr.spec.docker.system import IdResponse


@route("POST", "/containers/{ref}/exec", status=201)
async def create(engine: Engine, ref: str, body: ExecCreate) -> IdResponse:
    """ContainerExec: 409 if the container does not run."""
    return IdResponse(id=engine.execs.create(ref, body))


@route("POST", "/exec/{exec_id}/start")
async def start(
    engine: Engine, exec_id: str, body: ExecStart, request: Request, version: ApiVersion
) -> Answer:
    """ExecStart: 200 at once when detached, else the process's streams."""
    if body.detach:
        await engine.execs.start_detached(exec_id)
        return Response(status=200, headers={"Content-Type": "application/json"})
    wanted = engine.execs.find(exec_id).request
    keys = detach_sequence(wanted.detach_keys)
    headers = stream_headers(terminal=wanted.tty, version=version)
    try:
        channel = await engine.execs.start(exec_id, terminal_size=body.console_size or ())
    except StartFailed as error:
        message = f"{error}\r\n".encode()
        return hijack(request, _saying(message if wanted.tty else frame(1, message)), headers)

    async def talk(source: ByteSource, sink: ByteSink) -> None:
        await converse(
            source,
            sink,
            channel,
            detach_keys=keys if wanted.tty else None,
            on_detach=lambda: engine.execs.tell(exec_id, "exec_detach"),
        )

    return hijack(request, talk, headers)


def _saying(message: bytes) -> Conversation:
    """Docker tells on the stream why the program did not start; the exit code is in inspect."""

    async def talk(_source: ByteSource, sink: ByteSink) -> None:
        sink.write(message)
        await sink.drain()

    return talk


@route("POST", "/exec/{exec_id}/resize", status=200)
async def resize(engine: Engine, exec_id: str, *, h: int = 0, w: int = 0) -> None:
    """ExecResize."""
    await engine.execs.resize(exec_id, rows=h, columns=w)


@route("GET", "/exec/{exec_id}/json")
async def inspect(engine: Engine, exec_id: str) -> ExecInspect:
    """ExecInspect."""
    return engine.execs.inspect(exec_id)
