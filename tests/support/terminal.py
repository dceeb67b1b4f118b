"""A program on a terminal of its own, typed at and read from as a person would."""

import fcntl
import os
import pty
import select
import signal
import struct
import termios
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Final

_PATIENCE_SECONDS: Final = 15.0


class Terminal:
    """What the program wrote so far is in ``seen``."""

    def __init__(
        self, argv: Sequence[str], environ: Mapping[str, str], size: tuple[int, int]
    ) -> None:
        self.pid, self._master = pty.fork()
        if self.pid == 0:
            os.execvpe(argv[0], list(argv), dict(environ))
        self.seen = ""
        self.resize(*size)

    def type(self, text: str) -> None:
        os.write(self._master, text.encode())

    def resize(self, rows: int, columns: int) -> None:
        fcntl.ioctl(self._master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        os.kill(self.pid, signal.SIGWINCH)

    def expect(self, text: str) -> None:
        """Read until ``text`` has come; what came before it is forgotten."""
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while text not in self.seen:
            ready, _, _ = select.select([self._master], [], [], 0.1)
            try:
                piece = os.read(self._master, 65536) if ready else b""
            except OSError:  # the other end is closed
                piece = b""
            self.seen += piece.decode(errors="replace")
            if not piece and time.monotonic() > deadline:
                raise AssertionError(f"{text!r} did not come; this did: {self.seen!r}")
        self.seen = self.seen.partition(text)[2]

    def exit_code(self) -> int:
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while time.monotonic() < deadline:
            ready, _, _ = select.select([self._master], [], [], 0.05)
            if ready:
                with suppress(OSError):
                    self.seen += os.read(self._master, 65536).decode(errors="replace")
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self.pid = 0
                return os.waitstatus_to_exitcode(status)
        raise AssertionError(f"the program goes on; it wrote {self.seen!r}")

    def close(self) -> None:
        if self.pid:
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
        os.close(self._master)


@contextmanager
def on_terminal(
    argv: Sequence[str], environ: Mapping[str, str], size: tuple[int, int] = (30, 100)
) -> Iterator[Terminal]:
    """size: rows and columns."""
    terminal = Terminal(argv, environ, size)
    try:
        yield terminal
    finally:
        terminal.close()
