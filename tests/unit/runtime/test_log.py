"""Lines out of raw records, compared with a plain model of what a log's lines are."""

import asyncio
import struct
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from hypothesis import given
from hypothesis import strategies as st

from knarr.keeper.record import LogWriter, segment_numbers
from knarr.runtime.log import Block, LogQuery, LogReader
from knarr.runtime.logtext import LogText, timestamp


class Said(NamedTuple):
    """What a container wrote at once."""

    stream: int
    text: bytes


def write(folder: Path, said: Sequence[Said], *, max_bytes: int = 1 << 20, runs: int = 1) -> None:
    """Record ``said`` in ``runs`` runs, the n-th piece at n nanoseconds."""
    pieces = list(enumerate(said, start=1))
    size = -(-len(pieces) // runs)
    for run in range(runs):
        writer = LogWriter(str(folder), max_bytes, 0)
        writer.begin(run * size + 1)
        for time_ns, (stream, text) in pieces[run * size : (run + 1) * size]:
            writer.write(stream, text, time_ns)
        writer.end((run + 1) * size)
        writer.close()


def lines(blocks: Sequence[Block]) -> list[tuple[int, bytes]]:
    return [(block.stream, line) for block in blocks for line in split(block.data)]


def read(folder: Path, query: LogQuery) -> list[Block]:
    return [block for batch in LogReader(folder, query).written() for block in batch]


def split(data: bytes) -> list[bytes]:
    *whole, last = data.split(b"\n")
    return [line + b"\n" for line in whole] + ([last] if last else [])


def expected(said: Sequence[Said], runs: int = 1) -> list[tuple[int, bytes]]:
    """Each line where it was completed; what lacks its newline when the run ends comes there."""
    size = -(-len(said) // runs)
    result: list[tuple[int, bytes]] = []
    for run in range(runs):
        begun = {1: b"", 2: b""}
        for stream, text in said[run * size : (run + 1) * size]:
            *whole, begun[stream] = (begun[stream] + text).split(b"\n")
            result += [(stream, line + b"\n") for line in whole]
        result += [(stream, text) for stream, text in begun.items() if text]
    return result


SAID = st.lists(
    st.builds(
        Said, st.sampled_from((1, 2)), st.text("ab\n", min_size=1, max_size=9).map(str.encode)
    ),
    max_size=30,
)


@given(said=SAID, max_bytes=st.integers(40, 400), runs=st.integers(1, 3))
def test_lines_come_whole_and_where_they_were_completed(
    said: list[Said], max_bytes: int, runs: int
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        write(Path(folder), said, max_bytes=max_bytes, runs=runs)
        found = lines(read(Path(folder), LogQuery()))
    assert found == expected(said, runs)


@given(
    texts=st.lists(st.text("ab\n", min_size=1, max_size=9).map(str.encode), max_size=30),
    max_bytes=st.integers(40, 400),
    runs=st.integers(1, 3),
    tail=st.integers(0, 12),
)
def test_a_tail_is_the_last_lines(texts: list[bytes], max_bytes: int, runs: int, tail: int) -> None:
    said = [Said(1, text) for text in texts]
    with tempfile.TemporaryDirectory() as folder:
        write(Path(folder), said, max_bytes=max_bytes, runs=runs)
        found = lines(read(Path(folder), LogQuery(tail=tail)))
    assert found == (expected(said, runs)[-tail:] if tail else [])


@given(said=SAID, since=st.integers(0, 31), until=st.integers(0, 31))
def test_times_choose_lines_by_when_they_were_completed(
    said: list[Said], since: int, until: int
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        write(Path(folder), said, max_bytes=100)
        query = LogQuery(since_ns=since, until_ns=until)
        found = lines(read(Path(folder), query))
    begun, wanted = {1: b"", 2: b""}, []
    for time_ns, (stream, text) in enumerate(said, start=1):
        *whole, begun[stream] = (begun[stream] + text).split(b"\n")
        if since <= time_ns <= until:
            wanted += [(stream, line + b"\n") for line in whole]
    assert [line for line in found if line[1].endswith(b"\n")] == wanted


def test_one_stream_alone(tmp_path: Path) -> None:
    write(tmp_path, [Said(1, b"out "), Said(2, b"err\n"), Said(1, b"put\n")])
    query = LogQuery(stdout=True, stderr=False)
    assert lines(read(tmp_path, query)) == [(1, b"out put\n")]


def test_a_tail_of_two_streams_has_its_lines_whole(tmp_path: Path) -> None:
    said = [Said(2, b"a slow "), Said(1, b"1\n2\n3\n"), Said(2, b"line\n"), Said(1, b"4\n")]
    write(tmp_path, said)
    found = lines(read(tmp_path, LogQuery(tail=3)))
    assert found == [(1, b"3\n"), (2, b"a slow line\n"), (1, b"4\n")]


def test_no_log_is_an_empty_log(tmp_path: Path) -> None:
    assert read(tmp_path / "nowhere", LogQuery(tail=5)) == []


def test_what_a_crash_tore_ends_the_reading(tmp_path: Path) -> None:
    write(tmp_path, [Said(1, b"whole\n")])
    with (tmp_path / "00000001.log").open("ab") as file:
        file.write(b"torn to pieces, and long enough to hold a header")
    assert lines(read(tmp_path, LogQuery())) == [(1, b"whole\n")]


def test_bytes_that_had_no_room_are_told_of(tmp_path: Path) -> None:
    writer = LogWriter(str(tmp_path), 1000, 2)
    writer._lost = 123
    writer.write(1, b"there is room again\n", 5)
    writer.close()
    told, after = read(tmp_path, LogQuery())
    assert b"123 bytes" in told.data
    assert after.data == b"there is room again\n"


async def test_following_goes_on_over_rotations_until_the_process_has_ended(tmp_path: Path) -> None:
    writer = LogWriter(str(tmp_path), 200, 2)
    writer.begin(1)
    seen: list[bytes] = []

    async def follow() -> None:
        async for batch in LogReader(tmp_path, LogQuery()).follow():
            seen.extend(block.data for block in batch)

    following = asyncio.create_task(follow())
    for number in range(20):
        writer.write(1, f"line {number}\n".encode(), number)
        while len(seen) <= number:
            await asyncio.sleep(0)
    assert not following.done()
    writer.write(1, b"no newline", 21)
    writer.end(22)
    await asyncio.wait_for(following, 5)
    assert len(segment_numbers(str(tmp_path))) == 2
    assert seen == [f"line {number}\n".encode() for number in range(20)] + [b"no newline"]


async def test_following_from_an_earlier_run_waits_for_the_new_one(tmp_path: Path) -> None:
    write(tmp_path, [Said(1, b"first\n")])
    writer = LogWriter(str(tmp_path), 1000, 2)
    writer.begin(2)
    following = LogReader(tmp_path, LogQuery(tail=1)).follow()
    assert (await anext(following))[0].data == b"first\n"
    writer.write(1, b"second\n", 3)
    assert (await asyncio.wait_for(anext(following), 5))[0].data == b"second\n"
    writer.end(4)
    assert [batch async for batch in following] == []


async def test_following_ends_at_the_time_it_was_given(tmp_path: Path) -> None:
    writer = LogWriter(str(tmp_path), 1000, 2)
    writer.begin(1)
    reader = LogReader(tmp_path, LogQuery(until_ns=5))
    assert [batch async for batch in reader.follow()] == []


def test_each_line_is_a_frame() -> None:
    encoded = LogText(framed=True).encode([Block(0, 2, b"one\ntwo")])
    assert encoded == struct.pack(">BxxxI", 2, 4) + b"one\n" + struct.pack(">BxxxI", 2, 3) + b"two"


def test_lines_together_are_one_frame_for_who_asks_for_it() -> None:
    encoded = LogText(framed=True, together=True, prefix=b"a=b ").encode([Block(0, 2, b"x\ny\n")])
    assert encoded == struct.pack(">BxxxI", 2, 12) + b"a=b x\na=b y\n"


def test_a_carriage_return_is_no_end_of_a_line() -> None:
    encoded = LogText(framed=True).encode([Block(0, 1, b"50%\r100%\n")])
    assert encoded == struct.pack(">BxxxI", 1, 9) + b"50%\r100%\n"


def test_timestamps_stand_before_each_line() -> None:
    text = LogText(framed=False, timestamps=True, prefix=b"a=b ")
    stamp = b"1970-01-01T00:00:01.000000002Z a=b "
    assert text.encode([Block(1_000_000_002, 1, b"x\ny\n")]) == stamp + b"x\n" + stamp + b"y\n"
    assert timestamp(0) == b"1970-01-01T00:00:00.000000000Z"


def test_what_was_rotated_away_under_a_reader_is_told(tmp_path: Path) -> None:
    writer = LogWriter(str(tmp_path), 200, 2)
    writer.begin(1)
    writer.write(1, b"first\n", 2)
    reader = LogReader(tmp_path, LogQuery())
    for number in range(30):
        writer.write(1, f"{number}: {'x' * 100}\n".encode(), number)
    writer.end(31)
    told = [block for batch in reader.written() for block in batch]
    assert [block.stream for block in told].count(2) == 1
    assert told[0].data == b"first\n"  # the file was open already
    assert b"lines are missing here" in next(block.data for block in told if block.stream == 2)
    assert told[-1].data.startswith(b"29: ")


def test_reading_goes_on_from_a_place(tmp_path: Path) -> None:
    writer = LogWriter(str(tmp_path), 1000, 2)
    writer.begin(1)
    writer.write(1, b"told\nbegun ", 2)
    reader = LogReader(tmp_path, LogQuery())
    assert lines([block for batch in reader._read() for block in batch]) == [(1, b"told\n")]
    place = reader.place
    reader.close()
    writer.write(1, b"and ended\n", 3)
    assert lines(read(tmp_path, LogQuery(from_place=place))) == [(1, b"begun and ended\n")]
