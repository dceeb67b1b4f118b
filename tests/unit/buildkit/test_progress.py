import asyncio
import base64

from knarr.buildkit.messages import StatusResponse, Vertex, VertexLog
from knarr.buildkit.progress import Display, Record, sentence
from knarr.spec.docker.build import BuildTrace
from knarr.spec.docker.progress import Progress


def _told(state: str, number: int, stage: str = "stage-0", **more: object) -> Progress:
    trace = BuildTrace(number=number, stage=stage, state=state, time_nano=10**18, **more)  # type: ignore[arg-type]
    return Progress(aux=trace)


async def _all(record: Record) -> StatusResponse:
    record.end()
    whole = StatusResponse()
    async for each in record.follow():
        whole.vertexes += each.vertexes
        whole.logs += each.logs
        whole.statuses += each.statuses
    return whole


def _last(whole: StatusResponse) -> dict[str, Vertex]:
    return {each.name: each for each in whole.vertexes}


async def test_steps_are_named_and_numbered_as_buildkit_names_them() -> None:
    record = Record()
    display = Display("ref", record)
    for number, stage, text in (
        (1, "base", "FROM busybox AS base"), (2, "base", "RUN make"),
        (3, "stage-1", "FROM base"), (4, "stage-1", "ENV A=b"), (5, "stage-1", "COPY . ."),
    ):  # fmt: skip
        display.hear(_told("planned", number, stage, text=text))
    display.hear(_told("plain", 4, "stage-1"))
    display.hear(_told("cached", 1, "base"))
    display.hear(_told("started", 2, "base"))
    display.hear(_told("output", 2, "base", stream=2, data=base64.b64encode(b"hi\n").decode()))
    display.hear(_told("failed", 2, "base", text="The command 'make' returned a non-zero code: 2"))
    display.finish("failed")
    whole = await _all(record)
    last = _last(whole)
    assert list(last) == [
        "[base 1/2] FROM busybox AS base", "[base 2/2] RUN make",
        "[stage-1 1/2] FROM base", "[stage-1 2/2] COPY . .",
    ]  # fmt: skip
    first, run, *_ = last.values()
    assert first.cached
    assert first.completed is not None
    assert run.inputs == [first.digest]
    assert run.error == 'process "make" did not complete successfully: exit code: 2'
    assert [(each.vertex, each.stream, each.msg) for each in whole.logs] == [
        (run.digest, 2, b"hi\n")
    ]


async def test_one_stage_without_a_name_goes_without_one() -> None:
    record = Record()
    display = Display("ref", record)
    display.hear(_told("planned", 1, text="FROM scratch"))
    display.hear(_told("cached", 1))
    assert list(_last(await _all(record))) == ["[1/1] FROM scratch"]


async def test_what_is_under_way_when_all_ends_is_told_as_ended() -> None:
    record = Record()
    display = Display("ref", record)
    display.hear(_told("planned", 1, text="RUN sleep"))
    display.hear(_told("started", 1))
    display.finish()
    (run,) = _last(await _all(record)).values()
    assert run.completed is not None
    assert run.error == "canceled"


async def test_who_comes_late_hears_it_all_and_who_waits_hears_the_rest() -> None:
    record = Record()
    record.tell(StatusResponse(vertexes=[Vertex(name="a")]))
    heard: list[str] = []

    async def follow() -> None:
        async for each in record.follow():
            heard.extend(vertex.name for vertex in each.vertexes)

    following = asyncio.ensure_future(follow())
    await asyncio.sleep(0)
    record.tell(StatusResponse(vertexes=[Vertex(name="b")]))
    record.end()
    await asyncio.wait_for(following, 30)
    assert heard == ["a", "b"]


async def test_old_output_is_forgotten_where_there_is_too_much() -> None:
    record = Record()
    for number in range(50):
        msg = b"%d " % number + bytes(1 << 20)
        record.tell(StatusResponse(logs=[VertexLog(msg=msg)]))
    kept = (await _all(record)).logs
    assert 20 < len(kept) < 40
    assert kept[-1].msg.startswith(b"49 ")


def test_how_a_command_ended_is_said_in_buildkits_words() -> None:
    killed = "The command 'a' returned a non-zero code: 137 (the kernel killed it: out of memory)"
    assert sentence(killed) == (
        'process "a" did not complete successfully: exit code: 137'
        " (the kernel killed it: out of memory)"
    )
    assert sentence("other") == "other"
