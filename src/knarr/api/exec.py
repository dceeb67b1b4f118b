"""Endpoints of exec: further processes in a running container. Source: Engine API, tag Exec."""

from knarr.api.router import route
from knarr.api.streams import converse, detach_sequence, hijack, stream_headers
from knarr.api.versions import ApiVersion
from knarr.errors import KnarrError
from knarr.http.frames import frame
from knarr.http.message import (
    Answer,
    ByteSink,
    ByteSource,
    Request,
    Response,
)
from knarr.services import Engine
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
    framed = not body.tty  # what the start says counts, whatever the exec was made with
    claimed = engine.execs.claim(exec_id)

    async def talk(source: ByteSource, sink: ByteSink) -> None:
        # The head is out before the process runs: clients that read it through a buffer would lose
        # what comes together with it. So a failure to start is told on the stream, as Docker does.
        try:
            channel = await engine.execs.start(
                claimed, framed=framed, terminal_size=body.console_size or ()
            )
        except KnarrError as error:
            message = f"{error}\r\n".encode()
            sink.write(frame(1, message) if framed else message)
            await sink.drain()
            return
        over = await converse(
            source,
            sink,
            channel,
            detach_keys=(lambda: keys) if wanted.tty else None,
            on_detach=lambda: engine.execs.tell(exec_id, "exec_detach"),
        )
        if over:
            await engine.execs.ended(claimed.id)

    return hijack(request, talk, stream_headers(terminal=not framed, version=version))


@route("POST", "/exec/{exec_id}/resize", status=200)
async def resize(engine: Engine, exec_id: str, *, h: int = 0, w: int = 0) -> None:
    """ExecResize."""
    await engine.execs.resize(exec_id, rows=h, columns=w)


@route("GET", "/exec/{exec_id}/json")
async def inspect(engine: Engine, exec_id: str) -> ExecInspect:
    """ExecInspect."""
    return engine.execs.inspect(exec_id)
