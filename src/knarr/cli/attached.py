"""Being attached to a process: its streams on ours, keys that detach, signals passed on.

One loop over descriptors and no threads: what comes from the container is written out, what comes
from stdin is sent as fast as the container takes it, signals become requests to the engine.
"""

from __future__ import annotations

import os
import select

from knarr.cli.exit import Exit
from knarr.client.lean import TYPE_CHECKING
from knarr.errors import InvalidArgument, KnarrError
from knarr.http.frames import ENGINE_ERROR, STDERR

if TYPE_CHECKING:
    import signal
    from collections.abc import Callable
    from typing import Any, Self

    from knarr.client.blocking import Answer, Stream
else:
    import _signal as signal  # the module signal wraps it in enums, for 2 ms

READ = 64 * 1024  # bytes of stdin at once
STDIN_FD, STDOUT_FD, STDERR_FD = 0, 1, 2
DETACH_KEYS = "ctrl-p,ctrl-q"
_PASSED_ON = ("HUP", "INT", "QUIT", "USR1", "USR2", "TERM", "CONT", "ALRM", "TSTP")
_IMPATIENT = ("INT", "TERM")  # three of these end the client itself
_PATIENCE = 3


class Detached(KnarrError):
    """Somebody typed the keys that detach."""

    def __init__(self) -> None:
        super().__init__("read escape sequence")


class DetachKeys:
    """Looks for the key sequence in what is typed; keys that may begin it are held back."""

    __slots__ = ("_held", "_keys")

    def __init__(self, keys: bytes) -> None:
        self._keys = keys
        self._held = b""

    def feed(self, typed: bytes) -> bytes:
        """What goes through to the container. Raises Detached at the end of the sequence."""
        if not self._keys:
            return typed
        text, out = self._held + typed, bytearray()
        place = 0
        while place < len(text):
            rest = text[place : place + len(self._keys)]
            if rest == self._keys:
                raise Detached
            if self._keys.startswith(rest) and place + len(rest) == len(text):
                self._held = rest
                return bytes(out)
            out.append(text[place])
            place += 1
        self._held = b""
        return bytes(out)


def key_sequence(text: str) -> bytes:
    """``ctrl-p,ctrl-q`` as the bytes that a terminal sends."""
    out = bytearray()
    for word in text.split(","):
        key = word.removeprefix("ctrl-")
        if len(key) != 1 or not key.isascii():
            raise InvalidArgument(f"Unknown character: '{word}'")
        if word == key:
            out.append(ord(key))
        elif "a" <= key <= "z" or key in "@[\\]^_":
            out.append(ord(key.upper()) - ord("@"))
        else:
            raise InvalidArgument(f"Unknown character: '{word}'")
    return bytes(out)


class Signals:
    """Signals as bytes on a descriptor, while the block lasts."""

    def __init__(self, names: tuple[str, ...]) -> None:
        self._names = names
        self._before: dict[int, Any] = {}

    def __enter__(self) -> Self:
        self.fd, self._write = os.pipe()
        os.set_blocking(self._write, False)
        os.set_blocking(self.fd, False)
        self._wakeup = signal.set_wakeup_fd(self._write, warn_on_full_buffer=False)
        for name in self._names:
            number = getattr(signal, f"SIG{name}")
            self._before[number] = signal.signal(number, _noticed)
        return self

    def take(self) -> list[str]:
        """The names of the signals that have come."""
        try:
            numbers = os.read(self.fd, 64)
        except BlockingIOError:
            return []
        names = {int(getattr(signal, f"SIG{name}")): name for name in self._names}
        return [names[number] for number in numbers if number in names]

    def __exit__(self, *_: object) -> None:
        signal.set_wakeup_fd(self._wakeup)
        for number, handler in self._before.items():
            signal.signal(number, handler if handler is not None else signal.SIG_DFL)
        os.close(self.fd)
        os.close(self._write)


def _noticed(_number: int, _frame: object) -> None:
    """A signal with a handler of Python's is also a byte on the wake-up descriptor."""


class RawTerminal:
    """The terminal on stdin without echo, lines and keys of its own, while the block lasts."""

    def __enter__(self) -> Self:
        import termios

        self._before = termios.tcgetattr(STDIN_FD)
        raw = termios.tcgetattr(STDIN_FD)
        raw[0] &= ~(
            termios.IGNBRK | termios.BRKINT | termios.PARMRK | termios.ISTRIP | termios.INLCR
            | termios.IGNCR | termios.ICRNL | termios.IXON
        )  # fmt: skip
        raw[1] &= ~termios.OPOST
        raw[2] = raw[2] & ~(termios.CSIZE | termios.PARENB) | termios.CS8
        raw[3] &= ~(termios.ECHO | termios.ECHONL | termios.ICANON | termios.ISIG | termios.IEXTEN)
        raw[6][termios.VMIN], raw[6][termios.VTIME] = 1, 0
        termios.tcsetattr(STDIN_FD, termios.TCSANOW, raw)
        return self

    def __exit__(self, *_: object) -> None:
        import termios

        termios.tcsetattr(STDIN_FD, termios.TCSANOW, self._before)


class _Nothing:
    """A block without effect, where there is no terminal to change."""

    def __enter__(self) -> None:
        return None

    def __exit__(self, *_: object) -> None:
        return None


def terminal_size() -> tuple[int, int]:
    """Rows and columns of the terminal on stdout; zeros where there is none."""
    try:
        size = os.get_terminal_size(STDOUT_FD)
    except OSError:
        return 0, 0
    return size.lines, size.columns


def check_terminal(*, stdin: bool, tty: bool) -> None:
    """Refuse to give a container's terminal an input that is none."""
    if stdin and tty and not os.isatty(STDIN_FD):
        raise Exit(1, "the input device is not a TTY")


class Attachment:
    """One process's streams on ours.

    stdin: whether ours is sent.  tty: the process has a terminal.  outputs: which of stdout and
    stderr are shown.  keys: the bytes that detach; none where empty.
    pass_on: sends a signal to the process; None leaves signals to their usual effect.
    resize: tells the process's terminal its (rows, columns).
    """

    def __init__(
        self,
        stream: Stream,
        *,
        stdin: bool,
        tty: bool,
        keys: bytes = b"",
        pass_on: Callable[[str], None] | None = None,
        resize: Callable[[int, int], None] | None = None,
    ) -> None:
        self._stream = stream
        self._stdin = stdin
        self._tty = tty
        self._keys = DetachKeys(keys if tty else b"")
        self._pass_on = pass_on
        self._resize = resize
        self._unsent = b""
        self._impatience = 0
        self._poll = select.poll()

    def run(self, started: Callable[[], Answer | None] | None = None) -> Answer | None:
        """Go on until the process has closed its streams.

        started: called once everything is in place; it starts the process, and may answer with
        the request that waits for its end. Raises Detached.
        """
        names: tuple[str, ...] = _PASSED_ON if self._pass_on else ()
        names += ("WINCH",) if self._tty and self._resize else ()
        raw = RawTerminal() if self._tty and self._stdin and os.isatty(STDIN_FD) else _Nothing()
        with Signals(names) as signals, raw:
            waiting = started() if started else None
            if self._tty and self._resize:
                self._resize_to_ours()
            self._poll.register(signals.fd, select.POLLIN)
            self._pump(signals)
            if waiting is not None:
                self._await(signals, waiting)
            return waiting

    def _pump(self, signals: Signals) -> None:
        stream = self._stream
        events: dict[int, Callable[[], None]] = {
            stream.fileno(): self._show,
            signals.fd: lambda: self._signals(signals),
        }
        if self._stdin:
            events[STDIN_FD] = self._typed
            self._poll.register(STDIN_FD, select.POLLIN)
        while not stream.ended:
            wanted = select.POLLIN | (select.POLLOUT if self._unsent else 0)
            self._poll.register(stream.fileno(), wanted)
            for fd, event in [(stream.fileno(), 0)] if stream.waiting else self._poll.poll():
                if fd == stream.fileno() and event == select.POLLOUT:
                    self._send()
                elif fd in events:
                    events[fd]()
        self._poll.unregister(stream.fileno())
        if self._stdin:
            self._stop_reading()

    def _await(self, signals: Signals, waiting: Answer) -> None:
        """Pass signals on until the engine has told the exit code."""
        while not waiting.ready and waiting.fileno() >= 0:
            self._poll.register(waiting.fileno(), select.POLLIN)
            for fd, _ in self._poll.poll():
                if fd == signals.fd:
                    self._signals(signals)
                else:
                    waiting.gather()

    def _show(self) -> None:
        for number, data in self._stream.receive():
            if number == ENGINE_ERROR:
                raise KnarrError(data.decode("utf-8", "replace").strip())
            write_all(STDERR_FD if number == STDERR else STDOUT_FD, data)
        if self._unsent:
            self._send()

    def _typed(self) -> None:
        data = os.read(STDIN_FD, READ)
        if not data:
            self._stdin = False
            self._poll.unregister(STDIN_FD)
            self._stream.close_write()
            return
        self._unsent += self._keys.feed(data)
        self._send()

    def _send(self) -> None:
        try:
            sent = self._stream.send_some(self._unsent)
        except (BrokenPipeError, ConnectionResetError):
            sent = len(self._unsent)  # the process reads no more; its output still comes
            self._stop_reading()
        self._unsent = self._unsent[sent:]
        if self._stdin:
            # What the container has not taken must not pile up here: stop reading until it has.
            self._poll.modify(STDIN_FD, 0 if self._unsent else select.POLLIN)

    def _stop_reading(self) -> None:
        if self._stdin:
            self._stdin = False
            self._poll.unregister(STDIN_FD)

    def _signals(self, signals: Signals) -> None:
        for name in signals.take():
            if name == "WINCH":
                self._resize_to_ours()
                continue
            self._impatience += name in _IMPATIENT
            if self._impatience >= _PATIENCE:
                raise Exit(1, "\ngot 3 SIGTERM/SIGINTs, forcefully exiting")
            assert self._pass_on is not None
            try:
                self._pass_on(name)
            except KnarrError:
                continue  # the process has ended meanwhile

    def _resize_to_ours(self) -> None:
        rows, columns = terminal_size()
        if self._resize is None or not (rows or columns):
            return
        try:
            self._resize(rows, columns)
        except KnarrError:
            return  # it has ended, or has not begun


def write_all(fd: int, data: bytes) -> None:
    """Write everything to a descriptor of ours, also where somebody made it non-blocking."""
    while data:
        try:
            data = data[os.write(fd, data) :]
        except BlockingIOError:
            poll = select.poll()
            poll.register(fd, select.POLLOUT)
            poll.poll()
