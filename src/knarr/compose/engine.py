"""The engine as the compose room talks to it: typed answers, from several threads at once."""

import threading
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

from knarr.client.blocking import Engine
from knarr.client.call import Lines, Pieces, Request, TwoWay
from knarr.errors import NotFound, NotModified
from knarr.spec.document import decode

T = TypeVar("T")


class Engines:
    """One connection for each thread, made when it is needed."""

    def __init__(self, connect: Callable[[str], Engine]) -> None:
        """connect: makes a connection that speaks a version; empty agrees on one first."""
        self._connect = connect
        self._version = ""
        self._own = threading.local()
        self._all: list[Engine] = []
        self._lock = threading.Lock()

    @property
    def engine(self) -> Engine:
        """This thread's."""
        engine: Engine | None = getattr(self._own, "engine", None)
        if engine is None:
            with self._lock:
                engine = self._own.engine = self._connect(self._version)
                self._version = engine.version  # asked once, whoever comes first
                self._all.append(engine)
        return engine

    @property
    def api(self) -> tuple[int, int]:
        """The API version that is spoken."""
        major, _, minor = self.engine.version.partition(".")
        return int(major), int(minor)

    def ask(self, request: Request, kind: type[T]) -> T:
        """The answer as a document. Raises by meaning."""
        with self.engine.open(request) as answer:
            return decode(answer.read(), kind)

    def ask_for(self, request: Request, kind: type[T]) -> T | None:
        """The answer, or None for what is not there."""
        try:
            return self.ask(request, kind)
        except NotFound:
            return None

    def do(self, request: Request) -> None:
        """For verbs without an answer; what is so already is fine."""
        try:
            with self.engine.open(request) as answer:
                answer.read()
        except NotModified:
            return

    def lines(self, request: Lines[Any]) -> Iterator[Any]:
        """The JSON values of a stream."""
        return self.engine.lines(request)

    def pieces(self, request: Pieces) -> Iterator[bytes]:
        return self.engine.pieces(request)

    def two_way(self, request: TwoWay, *, raw: bool) -> Any:
        return self.engine.two_way(request, raw=raw)

    def close(self) -> None:
        with self._lock:
            for engine in self._all:
                engine.close()
            self._all.clear()
