"""One process's streams: read once, to the log and to everybody attached; and its input."""

import os
from collections.abc import Callable, Mapping
from functools import partial
from time import time_ns
from typing import Final

from knarr.keeper.attach import Client
from knarr.keeper.loop import READ, WRITE, Loop
from knarr.keeper.record import LogWriter

READ_BYTES: Final = 1 << 18
_buffer: Final = bytearray(READ_BYTES)
_view: Final = memoryview(_buffer)


class Stdio:
    """Clients may come before there is a process; its descriptors come with ``open``."""

    def __init__(self, loop: Loop, ended: Callable[[], None]) -> None:
        """``ended`` is called when the last of the process's output streams has ended."""
        self._loop, self._ended = loop, ended
        self._log: LogWriter | None = None
        self._stdin_once = False
        self._clients: list[Client] = []
        self._outputs: dict[int, int] = {}
        self._held = False
        self._input: int | None = None
        self._pending = memoryview(b"")
        self._input_ending = False
        self.running = False

    def open(
        self,
        outputs: Mapping[int, int],
        stdin: int | None,
        *,
        stdin_once: bool,
        log: LogWriter | None,
    ) -> None:
        """The process is there. All that is handed over is closed by this object from now on.

        outputs: stream number by descriptor. stdin_once: the first client that ends its input
        ends the process's; never with a terminal, whose input ends by what somebody types.
        """
        self._outputs, self._input = dict(outputs), stdin
        self._stdin_once, self._log = stdin_once, log
        if log is not None:
            log.begin(time_ns())
        self.running = True
        for descriptor in (*outputs, *(() if stdin is None else (stdin,))):
            os.set_blocking(descriptor, False)
        self.pressure_changed()
        self._tell_clients()

    @property
    def log_place(self) -> tuple[int, int] | None:
        """Behind the last byte in the log; whoever attaches now gets what comes after it."""
        return self._log.place if self._log is not None else None

    def attach(self, client: Client) -> None:
        self._clients.append(client)

    def detach(self, client: Client) -> None:
        if client in self._clients:
            self._clients.remove(client)

    @property
    def outputs(self) -> dict[int, int]:
        """The streams by descriptor, as long as they have not ended."""
        return dict(self._outputs)

    # Output.

    def pressure_changed(self) -> None:
        """A client fell behind, caught up or went: read on only if nobody holds the process."""
        self._held = any(client.pressing for client in self._clients)
        for descriptor, stream in self._outputs.items():
            ready = partial(self._on_output, descriptor, stream)
            self._loop.watch(descriptor, 0 if self._held else READ, ready)

    def drain(self) -> bool:
        """The process is over: take what is left, held or not. Whether all streams have ended."""
        for descriptor, stream in tuple(self._outputs.items()):
            while descriptor in self._outputs and self._take(descriptor, stream):
                pass
        return not self._outputs

    def close(self) -> None:
        """Nothing more will come: end the log's run, let clients read to the end, let go."""
        self.running = False
        for descriptor in tuple(self._outputs):
            self._close_output(descriptor)
        self._close_input()
        if self._log is not None:
            self._log.end(time_ns())
            self._log.close()
            self._log = None
        for client in tuple(self._clients):
            client.finish()

    def _on_output(self, descriptor: int, stream: int, _events: int) -> None:
        if not self._held:
            self._take(descriptor, stream)
        else:
            self._loop.unwatch(descriptor)  # it hung up while held: ``drain`` will get the rest

    def _take(self, descriptor: int, stream: int) -> bool:
        """One read; False when there was nothing to be had."""
        try:
            length = os.readv(descriptor, (_buffer,))
        except BlockingIOError:
            return False
        except OSError:
            length = 0  # EIO: nobody has the terminal's other side open any more
        if not length:
            self._close_output(descriptor)
            if not self._outputs:
                self._ended()
            return False
        payload = _view[:length]
        if self._log is not None:
            self._log.write(stream, payload, time_ns())
        for client in tuple(self._clients):
            client.offer(stream, payload)
        return True

    def _close_output(self, descriptor: int) -> None:
        del self._outputs[descriptor]
        self._loop.unwatch(descriptor)
        os.close(descriptor)

    # Input.

    @property
    def wants_input(self) -> bool:
        """Whether what clients send can be taken now; without a stdin it is read and dropped."""
        return self.running and not self._pending

    def take_input(self, data: bytes) -> None:
        if self._input is None:
            return
        self._pending = memoryview(data)
        self._push(self._input)
        if self._pending:
            self._loop.watch(self._input, WRITE, self._on_room)
            self._tell_clients()

    def end_input(self) -> None:
        if self._stdin_once:
            self._input_ending = True
            if not self._pending:
                self._close_input()

    def _on_room(self, _events: int) -> None:
        if self._input is None:
            return
        self._push(self._input)
        if self._pending:
            return
        if self._input is not None:
            self._loop.unwatch(self._input)
        if self._input_ending:
            self._close_input()
        self._tell_clients()

    def _push(self, descriptor: int) -> None:
        try:
            self._pending = self._pending[os.write(descriptor, self._pending) :]
        except BlockingIOError:
            return
        except OSError:
            self._pending = memoryview(b"")  # EPIPE, EIO: nobody reads it any more
            self._close_input()

    def _tell_clients(self) -> None:
        for client in tuple(self._clients):
            client.input_changed()

    def _close_input(self) -> None:
        if self._input is not None:
            self._loop.unwatch(self._input)
            os.close(self._input)
            self._input = None
