"""Requests at a steady rate, as many clients make them: each on a connection of its own."""

import socket
import threading
import time
from collections import Counter
from types import TracebackType
from typing import Self

_CLIENTS = 24
_PATIENCE_S = 20.0


class Load:
    """GET / at ``rate`` requests a second, from entering the block to leaving it.

    answers: how often each body came.  failures: what went wrong, one text for each request.
    """

    def __init__(self, port: int, *, rate: int) -> None:
        self._port = port
        self._gap_s = 1 / rate
        self._lock = threading.Lock()
        self._number = 0
        self._began = 0.0
        self._ended = threading.Event()
        self._threads = [threading.Thread(target=self._run) for _ in range(_CLIENTS)]
        self.answers: Counter[str] = Counter()
        self.failures: list[str] = []

    def __enter__(self) -> Self:
        self._began = time.monotonic()
        for each in self._threads:
            each.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._ended.set()
        for each in self._threads:
            each.join()

    @property
    def per_second(self) -> float:
        """What it came to so far."""
        return self._number / (time.monotonic() - self._began)

    def _run(self) -> None:
        while not self._ended.is_set():
            with self._lock:
                due = self._began + self._number * self._gap_s
                self._number += 1
            if self._ended.wait(max(0.0, due - time.monotonic())):
                return
            self._request()

    def _request(self) -> None:
        try:
            with socket.create_connection(("127.0.0.1", self._port), _PATIENCE_S) as connection:
                connection.sendall(b"GET / HTTP/1.0\r\n\r\n")
                with connection.makefile("rb") as answer:
                    head, _, body = answer.read().partition(b"\r\n\r\n")
        except OSError as error:
            self.failures.append(str(error))
            return
        if b" 200 " not in head.split(b"\r\n")[0] or not body:
            self.failures.append(f"no answer but {head!r}")
            return
        with self._lock:
            self.answers[body.decode().strip()] += 1
