"""Single keys, while the output of a project is shown."""

from __future__ import annotations

import os
import select
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import Any, Self

STDIN = 0
DETACH, HELP, TERMINAL, WATCH = "d", "h", "t", "w"
MENU = (
    f"Keys: {TERMINAL} a service's terminal, {WATCH} watch on or off, {DETACH} detach, {HELP} help"
)


class Keys:
    """Tells of each key that is pressed; Ctrl+C stays a signal.

    pressed: called from a thread of its own.
    """

    def __init__(self, pressed: Callable[[str], None]) -> None:
        self._pressed = pressed
        self._before: list[Any] | None = None
        self._stop_read, self._stop = os.pipe2(os.O_CLOEXEC)
        self._thread: threading.Thread | None = None

    def __enter__(self) -> Self:
        self.listen()
        return self

    def __exit__(self, *_: object) -> None:
        self.leave()
        os.close(self._stop_read)
        os.close(self._stop)

    def listen(self) -> None:
        """Take the terminal's keys one by one, without showing them."""
        import termios

        self._before = termios.tcgetattr(STDIN)
        single = termios.tcgetattr(STDIN)
        single[3] &= ~(termios.ICANON | termios.ECHO)
        single[6][termios.VMIN], single[6][termios.VTIME] = 1, 0
        termios.tcsetattr(STDIN, termios.TCSANOW, single)
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def leave(self) -> None:
        """Give the terminal back, for somebody else to read from it."""
        import termios

        if self._thread is None:
            return
        os.write(self._stop, b"x")
        self._thread.join()
        self._thread = None
        termios.tcsetattr(STDIN, termios.TCSANOW, self._before or [])

    def _read(self) -> None:
        while True:
            ready, _, _ = select.select([STDIN, self._stop_read], [], [])
            if self._stop_read in ready:
                os.read(self._stop_read, 1)
                return
            key = os.read(STDIN, 1)
            if not key:
                select.select([self._stop_read], [], [])  # there is nobody any more
                os.read(self._stop_read, 1)
                return
            self._pressed(key.decode("latin-1"))
