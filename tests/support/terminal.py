"""A program on a terminal of its own, driven as a person would: type, look, resize."""

import fcntl
import os
import pty
import select
import signal
import struct
import termios
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager

_PATIENCE_S = 20.0


class Terminal:
    """One program's terminal, from the side where the person sits."""

    def __init__(self, pid: int, descriptor: int) -> None:
        self.pid = pid
        self._descriptor = descriptor
        self.shown = b""  # all that has appeared so far
        self._read = 0  # how much of it ``expect`` has passed

    def type(self, text: bytes) -> None:
        os.write(self._descriptor, text)

    def resize(self, rows: int, columns: int) -> None:
        """The kernel tells the program with SIGWINCH."""
        fcntl.ioctl(self._descriptor, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def expect(self, text: bytes) -> None:
        """Wait until ``text`` appears after what was expected before."""
        deadline = time.monotonic() + _PATIENCE_S
        while text not in self.shown[self._read :]:
            left = deadline - time.monotonic()
            assert left > 0, f"{text!r} did not appear: {self.shown[self._read :]!r}"
            assert self._more(left), f"it ended without {text!r}: {self.shown!r}"
        self._read = self.shown.index(text, self._read) + len(text)

    def _more(self, seconds: float) -> bool:
        if not select.select([self._descriptor], [], [], min(seconds, 0.1))[0]:
            return True
        try:
            data = os.read(self._descriptor, 65536)
        except OSError:  # EIO: the program has left its terminal
            return False
        self.shown += data
        return bool(data)

    def kill(self, number: int) -> None:
        os.kill(self.pid, number)

    def wait(self) -> int:
        """The exit code, after all its output."""
        deadline = time.monotonic() + _PATIENCE_S
        while self._more(deadline - time.monotonic()):
            assert time.monotonic() < deadline, f"it does not end: {self.shown[-500:]!r}"
        _, status = os.waitpid(self.pid, 0)
        self.pid = 0
        return os.waitstatus_to_exitcode(status)

    def close(self) -> None:
        os.close(self._descriptor)
        if self.pid:
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)


@contextmanager
def on_terminal(
    argv: Sequence[str], environ: Mapping[str, str], *, rows: int = 24, columns: int = 80
) -> Iterator[Terminal]:
    """``argv`` on a new terminal, for the length of a block."""
    pid, descriptor = pty.fork()
    if not pid:
        try:
            # A shell runs what it starts in the background with this ignored, tests too.
            signal.signal(signal.SIGINT, signal.SIG_DFL)
            os.execvpe(argv[0], list(argv), dict(environ))
        finally:
            os._exit(127)
    terminal = Terminal(pid, descriptor)
    terminal.resize(rows, columns)
    try:
        yield terminal
    finally:
        terminal.close()


class Terminals:
    """Terminals with a program of ``environ`` on them, opened one by one and closed together."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ
        self._open = ExitStack()

    def __call__(self, *argv: str) -> Terminal:
        return self._open.enter_context(on_terminal(argv, self._environ))

    def close(self) -> None:
        self._open.close()
