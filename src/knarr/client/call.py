"""What one verb of the engine asks, as a value: the method, the path, the query, the body.

A verb is a pure function that returns one of these; its return type is the declaration of what the
engine answers. The faces carry them out (blocking.py, aio.py), the typed ones decode the answer.
"""

from __future__ import annotations

from knarr.client.lean import TYPE_CHECKING, Answered, T, dumps, quote

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import Any

    from knarr.spec.document import Document

    Body = Document | Mapping[str, Any]  # what a verb takes for a JSON body
    Filters = Mapping[str, Iterable[str]]

JSON_TYPE = "application/json"
TAR_TYPE = "application/x-tar"


class Request:
    """A request of the Engine API, without the version in its path."""

    __slots__ = ("body", "headers", "method", "path", "query")

    def __init__(
        self,
        method: str,
        path: str,
        query: str = "",
        *,
        body: bytes | Iterable[bytes] | None = None,
        headers: tuple[tuple[str, str], ...] = (),
    ) -> None:
        self.method = method
        self.path = path
        self.query = query
        self.body = body
        self.headers = headers

    @property
    def target(self) -> str:
        """Path and query, as a request line has them."""
        return f"{self.path}?{self.query}" if self.query else self.path


class Call(Request, Answered[T]):
    """Answered once, by a document (or by nothing)."""

    __slots__ = ()


class Lines(Request, Answered[T]):
    """Answered by a stream of documents: events, statistics, progress."""

    __slots__ = ()


class Pieces(Request):
    """Answered by bytes as they come: an archive."""

    __slots__ = ()


class Output(Request):
    """Answered by what a container wrote: frames, or raw bytes where it has a terminal."""

    __slots__ = ()


class TwoWay(Request):
    """Answered by a connection that is no longer HTTP: attach, exec, dial."""

    __slots__ = ()


def path(*words: str) -> str:
    """``path("containers", ref, "json")`` is ``/containers/REF/json``, the reference encoded."""
    return "".join("/" + quote(word, also=":@/") for word in words)


def query(**pairs: Any) -> str:
    """The query of all that is given: None is left out, true is 1, a list repeats its name.

    A trailing underscore of a name is dropped, so that ``from_`` and ``all_`` can be said.
    """
    parts = []
    for name, value in pairs.items():
        for item in value if isinstance(value, (list, tuple)) else (value,):
            if item is not None:
                text = str(int(item)) if isinstance(item, bool) else str(item)
                parts.append(f"{name.rstrip('_')}={quote(text)}")
    return "&".join(parts)


def filters(wanted: Filters | None) -> str | None:
    """``{"label": ["a"]}`` as the engine reads it: ``{"label":{"a":true}}``."""
    if not wanted:
        return None
    return dumps({name: dict.fromkeys(values, True) for name, values in wanted.items()})


def document(body: Body) -> bytes:
    """A JSON body: a plain mapping (the command line's), or a document of ``knarr.spec``."""
    if isinstance(body, dict):
        return dumps(body).encode()
    from knarr.spec.document import encode

    return encode(body)
