"""The keeper's one loop: descriptors that are ready, children that ended, times that came."""

import contextlib
import heapq
import os
import select
import signal
import time
from collections.abc import Callable
from itertools import count
from typing import Final

READ: Final = select.EPOLLIN
WRITE: Final = select.EPOLLOUT
GONE: Final = select.EPOLLHUP | select.EPOLLERR  # told even to who waits for nothing

_TROUBLES: Final = 10

OnReady = Callable[[int], None]  # gets the events
OnExit = Callable[[int, int], None]  # gets the wait status, and when in ns since the epoch


class Loop:
    """Calls back; nothing that it calls may wait."""

    def __init__(self) -> None:
        self._epoll = select.epoll()
        self._watched: dict[int, OnReady] = {}
        self._troubles: dict[int, int] = {}
        self._children: dict[int, OnExit] = {}
        self._strays: dict[int, tuple[int, int]] = {}
        self._expecting = 0
        self._timers: list[tuple[float, int, Callable[[], None]]] = []
        self._sequence = count()
        self._running = True
        self._alarm = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        signal.set_wakeup_fd(self._alarm[1], warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, _nothing)
        self.watch(self._alarm[0], READ, self._on_signal)

    def watch(self, descriptor: int, events: int, ready: OnReady) -> None:
        """Call ``ready`` with the events whenever ``descriptor`` has some of them, or is GONE."""
        known = descriptor in self._watched
        self._watched[descriptor] = ready
        (self._epoll.modify if known else self._epoll.register)(descriptor, events)

    def unwatch(self, descriptor: int) -> None:
        """To be called before ``descriptor`` is closed."""
        if self._watched.pop(descriptor, None) is not None:
            self._epoll.unregister(descriptor)

    def call_later(self, seconds: float, call: Callable[[], None]) -> None:
        heapq.heappush(self._timers, (time.monotonic() + seconds, next(self._sequence), call))

    def expect(self) -> None:
        """From now on remember strangers who end: one of them may be claimed by its PID soon."""
        self._expecting += 1

    def expect_no_more(self) -> None:
        self._expecting -= 1
        if not self._expecting:
            self._strays.clear()

    def on_exit(self, pid: int, ended: OnExit) -> None:
        """Call ``ended`` once when the child ``pid`` ends, at once if it already did."""
        if (stray := self._strays.pop(pid, None)) is not None:
            ended(*stray)
        else:
            self._children[pid] = ended

    def stop(self) -> None:
        self._running = False

    def run(self) -> None:
        while self._running:
            for descriptor, events in self._epoll.poll(self._patience()):
                # A callback before this one may have closed it.
                if (ready := self._watched.get(descriptor)) is not None:
                    self._call(descriptor, ready, events)
            self._ring()

    def _call(self, descriptor: int, ready: OnReady, events: int) -> None:
        """One container's trouble must not end the keeper of all: it is written down, we go on."""
        try:
            ready(events)
        except Exception:
            _report()
            self._troubles[descriptor] = self._troubles.get(descriptor, 0) + 1
            if self._troubles[descriptor] > _TROUBLES:
                self.unwatch(descriptor)  # it would be ready again at once, for ever
        else:
            if self._troubles:
                self._troubles.pop(descriptor, None)

    def _patience(self) -> float | None:
        return max(0.0, self._timers[0][0] - time.monotonic()) if self._timers else None

    def _ring(self) -> None:
        while self._timers and self._timers[0][0] <= time.monotonic():
            try:
                heapq.heappop(self._timers)[2]()
            except Exception:
                _report()

    def _on_signal(self, _events: int) -> None:
        with contextlib.suppress(BlockingIOError):
            os.read(self._alarm[0], 4096)
        self._reap()

    def _reap(self) -> None:
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            now_ns = time.time_ns()
            if (ended := self._children.pop(pid, None)) is not None:
                try:
                    ended(status, now_ns)
                except Exception:
                    _report()
            elif self._expecting:
                self._strays[pid] = (status, now_ns)


def _nothing(_number: int, _frame: object) -> None:
    """A handler in Python, so that the C one writes to the wake-up descriptor."""


def _report() -> None:
    """Standard error is the keeper's own log."""
    import traceback  # imports much that the keeper, all being well, never needs

    traceback.print_exc()
