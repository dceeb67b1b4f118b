"""Somebody who watches a process and may type to it: one end of a stream socket."""

import contextlib
import socket
import struct
import time
from collections import deque
from typing import Final, Protocol

from knarr.keeper.loop import GONE, READ, WRITE, Loop

HEADER: Final = struct.Struct(">BxxxI")  # stream, length: Docker's frame
ENGINE_ERROR: Final = 3  # the stream of a frame that tells of trouble and ends the connection
HIGH_BYTES: Final = 1 << 20  # kept for one who does not read
LOW_BYTES: Final = 1 << 18
INPUT_BYTES: Final = 1 << 16
_TOO_SLOW: Final = b"attach: too slow, some output was not shown (the log has it)\n"


class Hub(Protocol):
    """What a client is attached to."""

    @property
    def running(self) -> bool: ...

    @property
    def wants_input(self) -> bool: ...

    def take_input(self, data: bytes) -> None: ...

    def end_input(self) -> None: ...

    def pressure_changed(self) -> None: ...

    def detach(self, client: "Client") -> None: ...


class Client:
    """Gets output as frames (raw from a terminal); what it sends is the process's input.

    streams: 1 and 2, those it wants to see. stdin: whether what it sends counts.
    With its buffer full it holds the process back, as a pipe in a shell does, so that nothing is
    lost; one that has taken nothing for so long is told so, and cut off.
    patience_s: how long; None waits for ever.
    """

    def __init__(
        self,
        loop: Loop,
        hub: Hub,
        connection: socket.socket,
        *,
        streams: frozenset[int],
        stdin: bool,
        framed: bool,
        patience_s: float | None,
    ) -> None:
        self._loop, self._hub, self._connection = loop, hub, connection
        self._streams, self._framed, self._patience_s = streams, framed, patience_s
        self._stdin = stdin
        self._reading = True  # it has not shut its sending side
        self._queue: deque[memoryview] = deque()
        self._queued = 0
        self._whole = True  # the first of the queue is the beginning of a frame
        self._ending = False
        self._gone = False
        self.pressing = False  # the process has to wait for this client
        self._taken_at = 0.0  # when it last took something, as time.monotonic has it
        self._timed = False  # the loop will call _lose_patience
        connection.setblocking(False)
        self._watch()

    def offer(self, stream: int, payload: memoryview) -> None:
        """Output of the process. ``payload`` is copied if it cannot go out at once."""
        if stream not in self._streams or self._gone or self._ending:
            return
        pieces: list[bytes | memoryview] = [payload]
        if self._framed:
            pieces.insert(0, HEADER.pack(stream, len(payload)))
        sent = 0 if self._queue else self._send(pieces)
        if sent == sum(map(len, pieces)) or self._gone:
            return
        if not self._queue:
            self._whole = sent == 0
        self._enqueue(memoryview(b"".join(pieces))[sent:])
        if self._queued > HIGH_BYTES:
            self._press()

    def input_changed(self) -> None:
        """The process can take input again, or cannot for now."""
        if self._gone:
            self._read_input()
        else:
            self._watch()

    def finish(self) -> None:
        """There will be no more output: close once everything has gone out."""
        self._ending = True
        if not self._queue:
            self._close()

    def _press(self) -> None:
        if self.pressing:
            return
        self.pressing = True
        self._taken_at = time.monotonic()
        if self._patience_s is not None and not self._timed:
            self._timed = True
            self._loop.call_later(self._patience_s, self._lose_patience)
        self._hub.pressure_changed()

    def _lose_patience(self) -> None:
        self._timed = False
        if not self.pressing or self._patience_s is None:
            return
        left_s = self._taken_at + self._patience_s - time.monotonic()
        if left_s > 0:
            self._timed = True
            self._loop.call_later(left_s, self._lose_patience)
        else:
            self._cut_off()
            self._release()

    def _release(self) -> None:
        if self.pressing:
            self.pressing = False
            self._hub.pressure_changed()

    def _cut_off(self) -> None:
        begun = () if self._whole else (self._queue[0],)  # a frame once begun is sent whole
        self._queue, self._queued = deque(), 0
        for piece in begun:
            self._enqueue(piece)
        frame = HEADER.pack(ENGINE_ERROR, len(_TOO_SLOW)) if self._framed else b"\r\n"
        self._enqueue(memoryview(frame + _TOO_SLOW))
        self._ending = True

    def _enqueue(self, piece: memoryview) -> None:
        self._queue.append(piece)
        self._queued += len(piece)
        self._watch()

    def _on_ready(self, events: int) -> None:
        if events & WRITE:
            self._flush()
        if events & READ and not self._gone:
            self._read_input()
        elif events & GONE:
            self._lose()

    def _flush(self) -> None:
        while self._queue:
            first = self._queue[0]
            sent = self._send([first])
            if not sent:
                break
            self._queued -= sent
            self._whole = sent == len(first)
            if self._whole:
                self._queue.popleft()
            else:
                self._queue[0] = first[sent:]
        if self._gone:
            return
        if not self._queue and self._ending:
            self._close()
            return
        self._watch()
        if self._queued < LOW_BYTES:
            self._release()

    def _send(self, pieces: list[bytes | memoryview]) -> int:
        try:
            sent = self._connection.sendmsg(pieces, (), socket.MSG_NOSIGNAL)
        except BlockingIOError:
            return 0
        except OSError:
            self._lose()
            return 0
        if self.pressing:
            self._taken_at = time.monotonic()
        return sent

    def _read_input(self) -> None:
        """One piece, so that others get their turn; all there is from one who is gone."""
        while self._hub.wants_input:
            try:
                data = self._connection.recv(INPUT_BYTES)
            except BlockingIOError:
                return
            except OSError:
                data = b""
            if not data:
                self._input_ended()
                return
            if self._stdin:
                self._hub.take_input(data)
            if not self._gone:
                return

    def _input_ended(self) -> None:
        """It shut its sending side, or is gone altogether: then GONE will tell, or has told."""
        self._reading = False
        if self._stdin:
            self._stdin = False
            self._hub.end_input()
        if self._gone:
            self._close()
        else:
            self._watch()

    def _watch(self) -> None:
        events = READ if self._reading and self._hub.wants_input else 0
        events |= WRITE if self._queue else 0
        self._loop.watch(self._connection.fileno(), events, self._on_ready)

    def _lose(self) -> None:
        """The other side is gone. What it had typed before is still the process's input."""
        if self._gone:
            return
        self._gone = True
        self._queue, self._queued = deque(), 0
        self._loop.unwatch(self._connection.fileno())
        self._release()
        if self._reading and self._stdin and self._hub.running:
            self._read_input()
        else:
            self._close()

    def _close(self) -> None:
        if self._connection.fileno() < 0:
            return
        self._loop.unwatch(self._connection.fileno())
        with contextlib.suppress(OSError):
            # Closed with input unread, the other side would get a reset in place of the end.
            self._connection.shutdown(socket.SHUT_RDWR)
            while self._connection.recv(INPUT_BYTES):
                pass
        self._connection.close()
        self._hub.detach(self)
