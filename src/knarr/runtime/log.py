"""Reading a container's log: lines out of raw records, from any time or the end, and on.

A line belongs to the time and the place at which it was completed; where it was begun earlier, its
beginning is found and joined. Only the last line of a run may lack its newline.
"""

import asyncio
import os
import time
from collections.abc import AsyncGenerator, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NamedTuple

from knarr.keeper.record import BEGIN, DATA, END, LOST
from knarr.runtime.changes import changes
from knarr.runtime.segments import GAP, Place, Record, Segments

STDOUT: Final = 1
STDERR: Final = 2
_GAP_TOLD: Final = b"[lines are missing here: read too slowly, the log was rotated meanwhile]\n"
_BATCH_BYTES: Final = 1 << 17
# Longer lines are passed on in pieces, and not looked for further back.
_LINE_BYTES: Final = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class LogQuery:
    """Which lines. Times in nanoseconds since the epoch; ``tail`` counts lines, None means all.

    until_place: where a client that attached begins to be told what is written.
    from_place: where an earlier reading ended; what is before it is left out.
    """

    stdout: bool = True
    stderr: bool = True
    since_ns: int = 0
    until_ns: int | None = None
    tail: int | None = None
    until_place: Place | None = None
    from_place: Place | None = None

    @property
    def streams(self) -> frozenset[int]:
        wanted = ((STDOUT, self.stdout), (STDERR, self.stderr))
        return frozenset(number for number, asked in wanted if asked)


class Block(NamedTuple):
    """Lines of one stream that were completed at one time."""

    time_ns: int
    stream: int
    data: bytes


Batch = list[Block]  # what can be had at once, up to a record more than _BATCH_BYTES


class _Cut(NamedTuple):
    """Left out are lines that end earlier than byte ``used`` of the payload at ``place``."""

    place: Place
    used: int


class LogReader:
    """One reading of the log in ``folder``; a folder that is not there is an empty log."""

    def __init__(self, folder: Path, query: LogQuery) -> None:
        self._folder, self._query = str(folder), query
        self._segments = Segments(self._folder)
        self._lines = _Lines()
        self._cut = self._where_to_cut()
        self._place = self._lines_begin_after(self._cut.place)
        self._last_kind = self._kind_before(query.from_place)
        self._done = False

    def close(self) -> None:
        self._segments.close()

    @property
    def place(self) -> Place:
        """Where what was read ends; lines that go on there are not told yet."""
        return self._place

    def written(self) -> Iterator[Batch]:
        """What is written by now, to the last byte. Closes the reader."""
        try:
            yield from self._read()
            yield from self._rest()
        finally:
            self.close()

    async def follow(self) -> AsyncGenerator[Batch, None]:
        """The same and what is written from now on, until the process has ended. Closes the reader.

        Only for a container that runs: the log of one that never ran has no end.
        """
        with ExitStack() as undo:
            undo.callback(self.close)
            os.makedirs(self._folder, mode=0o700, exist_ok=True)
            changed = undo.enter_context(changes(self._folder))  # before the first look
            while True:
                changed.clear()
                for batch in self._read():
                    yield batch
                    await asyncio.sleep(0)  # there may be much; others have their turn
                if self._last_kind == END or self._done:
                    break
                await self._wait(changed)
            for batch in self._rest():
                yield batch

    async def _wait(self, changed: asyncio.Event) -> None:
        until_ns = self._query.until_ns
        seconds = None if until_ns is None else max(0.0, (until_ns - time.time_ns()) / 1e9)
        try:
            async with asyncio.timeout(seconds):
                await changed.wait()
        except TimeoutError:
            self._done = True

    def _rest(self) -> Iterator[Batch]:
        if unfinished := list(self._lines.unfinished(time.time_ns())):
            yield unfinished

    def _read(self) -> Iterator[Batch]:
        """Lines from where we are to the end of what is written now."""
        batch: Batch = []
        size_bytes = 0
        for record in self._segments.forwards(self._place):
            if self._is_beyond(record):
                self._done = True
                break
            self._place, self._last_kind = record.next, record.kind
            batch += self._wanted(record)
            size_bytes += len(record.payload)
            if size_bytes >= _BATCH_BYTES:
                if batch:
                    yield batch
                batch, size_bytes = [], 0
        if batch:
            yield batch

    def _is_beyond(self, record: Record) -> bool:
        until_ns, place = self._query.until_ns, self._query.until_place
        late = until_ns is not None and record.time_ns > until_ns
        return late or (place is not None and record.place >= place)

    def _wanted(self, record: Record) -> Iterator[Block]:
        """The lines that end in this record and are not before the cut."""
        if record.place < self._cut.place:
            self._pass_over(record, len(record.payload))
            return
        if record.place == self._cut.place and self._cut.used:
            self._pass_over(record, self._cut.used)
            record = record._replace(payload=record.payload[self._cut.used :])
        yield from self._blocks_of(record)

    def _pass_over(self, record: Record, used: int) -> None:
        """Lines that end here are not wanted; one that goes on is."""
        if record.kind == DATA and record.stream in self._query.streams:
            self._lines.add(record.stream, record.payload[:used])
        elif record.kind in (BEGIN, END):
            self._lines.clear()

    def _blocks_of(self, record: Record) -> Iterator[Block]:
        if record.kind == DATA:
            if record.stream not in self._query.streams:
                return
            if lines := self._lines.add(record.stream, record.payload):
                yield Block(record.time_ns, record.stream, lines)
        elif record.kind == LOST:
            count = record.payload.decode()
            text = f"[{count} bytes of the log could not be written: the disk was full]\n"
            yield Block(record.time_ns, STDERR, text.encode())
        elif record.kind == GAP:
            yield Block(record.time_ns, STDERR, _GAP_TOLD)
        else:
            yield from self._lines.unfinished(record.time_ns)

    # Where to begin.

    def _kind_before(self, place: Place | None) -> int:
        """Of the record before ``place``: whether the run that it belongs to is over."""
        before = None if place is None else next(self._segments.backwards(place), None)
        return BEGIN if before is None else before.kind

    def _where_to_cut(self) -> _Cut:
        cut = _Cut(self._first_since(), 0)
        return cut if self._query.tail is None else max(cut, self._tail_cut(self._query.tail))

    def _first_since(self) -> Place:
        """The first record that is not older than was asked for."""
        since_ns = self._query.since_ns
        place = self._query.from_place or self._segments.beginning()
        if since_ns <= 0:
            return place
        for number in self._segments.numbers():
            first = next(self._segments.forwards(Place(number, 0)), None)
            if first is None or first.time_ns >= since_ns:
                break
            place = first.place
        for record in self._segments.forwards(place):
            if record.time_ns >= since_ns:
                return record.place
            place = record.next
        return place

    def _tail_cut(self, wanted: int) -> _Cut:
        """Where the last ``wanted`` lines begin to be completed."""
        if wanted <= 0:
            return _Cut(self._segments.end(), 0)
        ended = set[int]()  # streams of which a later line has its beginning in this run
        for record in self._segments.backwards(self._segments.end()):
            if self._query.until_ns is not None and record.time_ns > self._query.until_ns:
                continue
            if record.kind in (BEGIN, END):
                ended.clear()
            if record.kind != DATA or record.stream not in self._query.streams:
                continue
            if record.stream not in ended:
                ended.add(record.stream)
                wanted -= not record.payload.endswith(b"\n")  # without an end it counts too
            count = record.payload.count(b"\n")
            if count >= wanted:
                return _Cut(record.place, _after_line(record.payload, count - wanted))
            wanted -= count
        return _Cut(self._segments.beginning(), 0)

    def _lines_begin_after(self, place: Place) -> Place:
        """So early a place that lines which go on at ``place`` have their beginning after it."""
        missing, looked_bytes = set(self._query.streams), 0
        for record in self._segments.backwards(place):
            place = record.place
            if record.kind in (BEGIN, END):
                break
            looked_bytes += len(record.payload)
            if record.kind == DATA and b"\n" in record.payload:
                missing.discard(record.stream)
            if not missing or looked_bytes > _LINE_BYTES:
                break
        return place


class _Lines:
    """Puts lines together, each stream's apart."""

    def __init__(self) -> None:
        self._begun: dict[int, list[bytes]] = {}
        self._begun_bytes = 0

    def add(self, stream: int, text: bytes) -> bytes:
        """The lines that ``text`` completes, with their beginnings."""
        end = text.rfind(b"\n") + 1
        begun = self._begun.setdefault(stream, [])
        if not end:
            begun.append(text)
            self._begun_bytes += len(text)
            return self._take(stream) if self._begun_bytes > _LINE_BYTES else b""
        lines = self._take(stream) + text[:end]
        if end < len(text):
            self._begun[stream] = [text[end:]]
            self._begun_bytes += len(text) - end
        return lines

    def unfinished(self, time_ns: int) -> Iterator[Block]:
        for stream in sorted(self._begun):
            if text := self._take(stream):
                yield Block(time_ns, stream, text)

    def clear(self) -> None:
        self._begun.clear()
        self._begun_bytes = 0

    def _take(self, stream: int) -> bytes:
        text = b"".join(self._begun.get(stream, ()))
        self._begun[stream] = []
        self._begun_bytes -= len(text)
        return text


def _after_line(text: bytes, count: int) -> int:
    """How many bytes the first ``count`` lines of ``text`` take."""
    end = 0
    for _ in range(count):
        end = text.index(b"\n", end) + 1
    return end
