"""A container's log on disk: segments of records, each record what one read gave.

    <folder>/00000001.log  00000002.log  …     the highest number is written, the lowest go first

    record = time_ns u64 | length u32 | stream u8 | kind u8 | 0x4B4E u16 | payload | length u32

The payload is as the container wrote it, at most RECORD_BYTES of it; lines are made by the reader.
The length after the payload lets a reader go backwards. All numbers are little-endian.
"""

import os
import struct
from typing import Final

HEADER: Final = struct.Struct("<QIBBH")
TRAILER: Final = struct.Struct("<I")
OVERHEAD: Final = HEADER.size + TRAILER.size
MARK: Final = 0x4B4E
RECORD_BYTES: Final = 1 << 20

DATA: Final = 0
BEGIN: Final = 1  # a process was started; no payload
END: Final = 2  # it is over and its streams have ended; no payload
LOST: Final = 3  # bytes that could not be written (disk full): payload is their number as text


def segment_name(number: int) -> str:
    return f"{number:08}.log"


def segment_numbers(folder: str) -> list[int]:
    """The numbers of the segments there are, in order; none if there is no folder."""
    try:
        names = os.listdir(folder)
    except FileNotFoundError:
        return []
    return sorted(int(name[:-4]) for name in names if name.endswith(".log") and name[:-4].isdigit())


def sound_length(content: bytes) -> int:
    """How many bytes of a segment's content are whole records; what follows is torn."""
    place = 0
    while place + OVERHEAD <= len(content):
        _, length, _, _, mark = HEADER.unpack_from(content, place)
        end = place + OVERHEAD + length
        if mark != MARK or end > len(content):
            break
        if TRAILER.unpack_from(content, end - TRAILER.size)[0] != length:
            break
        place = end
    return place


class LogWriter:
    """Appends records to the newest segment; begins the next when one is full.

    folder: made if it is not there.
    max_bytes: of one segment; a single record is never cut.
    max_files: segments kept; 0 keeps all.
    A disk that is full costs bytes of the log, never the container: the gap is written down as
    soon as there is room.
    """

    def __init__(self, folder: str, max_bytes: int, max_files: int) -> None:
        self._folder, self._max_bytes, self._max_files = folder, max_bytes, max_files
        self._lost = 0
        os.makedirs(folder, mode=0o700, exist_ok=True)
        numbers = segment_numbers(folder)
        self._number = numbers[-1] if numbers else 1
        self._file, self._size = self._open()

    def write(self, stream: int, payload: bytes | memoryview, time_ns: int) -> None:
        """One record; never raises for a disk that is full or broken."""
        if self._lost and self._put(0, LOST, str(self._lost).encode(), time_ns):
            self._lost = 0
        if not self._put(stream, DATA, payload, time_ns):
            self._lost += len(payload)

    def begin(self, time_ns: int) -> None:
        """A process was started; whoever follows the log has something to wait for."""
        self._put(0, BEGIN, b"", time_ns)

    def end(self, time_ns: int) -> None:
        """The process is over; whoever follows the log may stop here."""
        self._put(0, END, b"", time_ns)

    @property
    def place(self) -> tuple[int, int]:
        """The segment that is written, and how much of it there is."""
        return self._number, self._size

    def close(self) -> None:
        os.close(self._file)

    def _put(self, stream: int, kind: int, payload: bytes | memoryview, time_ns: int) -> bool:
        length = len(payload)
        if self._size and self._size + length + OVERHEAD > self._max_bytes:
            self._rotate()
        header = HEADER.pack(time_ns, length, stream, kind, MARK)
        try:
            written = os.writev(self._file, (header, payload, TRAILER.pack(length)))
        except OSError:
            written = 0
        if written == length + OVERHEAD:
            self._size += written
            return True
        if written:
            os.ftruncate(self._file, self._size)
        return False

    def _open(self) -> tuple[int, int]:
        path = f"{self._folder}/{segment_name(self._number)}"
        file = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        size = os.fstat(file).st_size
        if size and not _ends_well(file, size):
            size = sound_length(os.pread(file, size, 0))
            os.ftruncate(file, size)
        return file, size

    def _rotate(self) -> None:
        self._number += 1
        before = self._file
        try:
            self._file, self._size = self._open()
        except OSError:
            self._number -= 1  # no room even for a name: go on in the old one
            return
        os.close(before)
        if self._max_files:
            for number in segment_numbers(self._folder)[: -self._max_files]:
                os.unlink(f"{self._folder}/{segment_name(number)}")


def _ends_well(file: int, size: int) -> bool:
    """Whether the last record is whole, looking at its two ends alone."""
    if size < OVERHEAD:
        return False
    length = TRAILER.unpack(os.pread(file, TRAILER.size, size - TRAILER.size))[0]
    start = size - OVERHEAD - length
    if start < 0:
        return False
    _, stated, _, _, mark = HEADER.unpack(os.pread(file, HEADER.size, start))
    return bool(mark == MARK and stated == length)
