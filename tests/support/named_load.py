"""Requests by name from inside a container's network, by a client that remembers no address."""

import ctypes
import socket
import threading
import time
from collections import Counter
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from dnslib import DNSRecord

from knarr.kernel.libc import checked

_CLONE_NEWNET: Final = 0x40000000
_setns = checked("setns", ctypes.c_int, ctypes.c_int)
_NAMESERVER: Final = ("127.0.0.11", 53)
_GAP_S: Final = 0.01
_PATIENCE_S: Final = 20.0


class NamedLoad:
    """A hundred times a second: asks for ``name``, connects to the first address, GETs /.

    pid: a process of the container. answers: how often each body came.  failures: a text each.
    """

    def __init__(self, pid: int, name: str, port: int) -> None:
        self._network = Path(f"/proc/{pid}/ns/net")
        self._name = name
        self._port = port
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self.answers: Counter[str] = Counter()
        self.failures: list[str] = []

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._ended.set()
        self._thread.join()

    def _run(self) -> None:
        with self._network.open("rb") as network:
            _setns(network.fileno(), _CLONE_NEWNET)
        while not self._ended.is_set():
            due = time.monotonic() + _GAP_S
            address = ""
            try:
                address = self._address()
                self.answers[self._answer(address)] += 1
            except OSError as error:
                self.failures.append(f"{address}: {error}")
            self._ended.wait(max(0.0, due - time.monotonic()))

    def _address(self) -> str:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asker:
            asker.settimeout(_PATIENCE_S)
            asker.sendto(DNSRecord.question(self._name).pack(), _NAMESERVER)
            answers = DNSRecord.parse(asker.recv(65_535)).rr
        if not answers:
            raise OSError(f"{self._name} has no address")
        return str(answers[0].rdata)

    def _answer(self, address: str) -> str:
        with socket.create_connection((address, self._port), _PATIENCE_S) as connection:
            connection.sendall(b"GET / HTTP/1.0\r\n\r\n")
            with connection.makefile("rb") as answer:
                head, _, body = answer.read().partition(b"\r\n\r\n")
        if b" 200 " not in head.split(b"\r\n")[0] or not body:
            raise OSError(f"no answer but {head!r}")
        return body.decode().strip()
