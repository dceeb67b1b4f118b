"""The segments of a log as one sequence of records, read forwards or backwards.

The form on disk, and who writes it, is in keeper/record.py. Segments may be appended to, and go,
while they are read.
"""

import os
import time
from bisect import bisect_right
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Final, NamedTuple

from knarr.keeper.record import (
    HEADER,
    MARK,
    OVERHEAD,
    TRAILER,
    segment_name,
    segment_numbers,
)

GAP: Final = 255  # never on disk: a record for segments that went before they were read
_CHUNK_BYTES: Final = 1 << 20
_BACK_BYTES: Final = 1 << 16


class Place(NamedTuple):
    """Where a record begins; places compare as they lie in the log."""

    segment: int
    offset: int


class Record(NamedTuple):
    """``place`` is where it begins, ``next`` where what follows begins."""

    place: Place
    next: Place
    time_ns: int
    stream: int
    kind: int
    payload: bytes


def end_of_log(folder: Path) -> Place:
    """Behind the last byte that is written now."""
    with closing(Segments(str(folder))) as segments:
        return segments.end()


class Segments:
    """A folder of segments; one that is not there is an empty log."""

    def __init__(self, folder: str) -> None:
        self._folder = folder
        self._number = 0
        self._file: int | None = None

    def close(self) -> None:
        if self._file is not None:
            os.close(self._file)
            self._file = None

    def numbers(self) -> list[int]:
        return segment_numbers(self._folder)

    def beginning(self) -> Place:
        numbers = self.numbers()
        return Place(numbers[0] if numbers else 1, 0)

    def end(self) -> Place:
        """Behind the last byte that is written now."""
        numbers = self.numbers()
        if not numbers or not self._open(numbers[-1]):
            return Place(1, 0)
        assert self._file is not None
        return Place(numbers[-1], os.fstat(self._file).st_size)

    def forwards(self, place: Place) -> Iterator[Record]:
        """Records from ``place`` to the end of what is written; GAP for what is lost between."""
        number, offset = place
        while True:
            # Looked for first: once there is a next segment, nothing is added to this one.
            numbers = self.numbers()
            later = numbers[bisect_right(numbers, number) :]
            if there := self._open(number):
                yield from self._records(number, offset)
            if not later:
                return
            if not there or later[0] > number + 1:
                start = Place(later[0], 0)
                yield Record(start, start, time.time_ns(), 0, GAP, b"")
            number, offset = later[0], 0

    def backwards(self, place: Place) -> Iterator[Record]:
        """Records that end at or before ``place``, the last first."""
        numbers = [number for number in self.numbers() if number <= place.segment]
        for number in reversed(numbers):
            if not self._open(number):
                return
            assert self._file is not None
            size = os.fstat(self._file).st_size
            yield from self._records_back(
                number, min(size, place.offset) if number == place.segment else size
            )

    def _open(self, number: int) -> bool:
        """Make ``number`` the open segment; False if it has gone."""
        if self._file is not None and self._number == number:
            return True
        self.close()
        try:
            self._file = os.open(
                f"{self._folder}/{segment_name(number)}", os.O_RDONLY | os.O_CLOEXEC
            )
        except FileNotFoundError:
            return False
        self._number = number
        return True

    def _records(self, number: int, offset: int) -> Iterator[Record]:
        buffer, start = b"", offset  # the buffer holds what lies from ``start`` on
        while self._open(number):
            assert self._file is not None
            chunk = os.pread(self._file, _CHUNK_BYTES, start + len(buffer))
            if not chunk:
                return
            buffer += chunk
            at = 0
            while at + HEADER.size <= len(buffer):
                time_ns, length, stream, kind, mark = HEADER.unpack_from(buffer, at)
                if mark != MARK:
                    return  # torn by a crash; the next writer cuts it off
                end = at + OVERHEAD + length
                if end > len(buffer):
                    break
                payload = buffer[at + HEADER.size : end - TRAILER.size]
                here, following = Place(number, start + at), Place(number, start + end)
                yield Record(here, following, time_ns, stream, kind, payload)
                at = end
            buffer, start = buffer[at:], start + at

    def _records_back(self, number: int, end: int) -> Iterator[Record]:
        buffer, start = b"", end  # the buffer holds what lies from ``start`` on, up to ``end``
        while end >= OVERHEAD and self._open(number):
            assert self._file is not None
            if end - start < TRAILER.size:
                start = max(0, end - _BACK_BYTES)
                buffer = os.pread(self._file, end - start, start)
            (length,) = TRAILER.unpack_from(buffer, end - start - TRAILER.size)
            begin = end - OVERHEAD - length
            if begin < 0:
                return
            if begin < start:
                start = max(0, min(begin, end - _BACK_BYTES))
                buffer = os.pread(self._file, end - start, start)
            time_ns, stated, stream, kind, mark = HEADER.unpack_from(buffer, begin - start)
            if mark != MARK or stated != length:
                return
            payload = buffer[begin - start + HEADER.size :][:length]
            here, following = Place(number, begin), Place(number, end)
            yield Record(here, following, time_ns, stream, kind, payload)
            end = begin
