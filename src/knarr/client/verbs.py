"""How a verb of calls/ becomes a method: its signature and help stay, its answer is decoded.

The return annotation of a verb says what the engine answers; it is read when the verb is first
used, since naming the documents earlier would make every command import them.
"""

from __future__ import annotations

import functools
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator
from contextlib import aclosing
from importlib import import_module
from typing import Any, Concatenate, ParamSpec, TypeVar

from knarr.client.call import Call, Lines, Pieces
from knarr.spec.document import decode

P = ParamSpec("P")
T = TypeVar("T")
Noun = TypeVar("Noun")

_DOCUMENTS = (
    *(f"docker.{name}" for name in ("build", "container", "exec", "image", "network", "progress",
                                    "stats", "system", "volume")),
    "knarr.image", "knarr.registry",
)  # fmt: skip


class _Inner:
    """``Call[X]`` and ``Lines[X]`` of an annotation, evaluated: X."""

    def __class_getitem__(cls, item: Any) -> Any:
        return item


@functools.cache
def _names() -> dict[str, Any]:
    names: dict[str, Any] = {"Call": _Inner, "Lines": _Inner}
    for module in _DOCUMENTS:
        names |= vars(import_module(f"knarr.spec.{module}"))
    return names


@functools.cache
def answer_type(verb: Callable[..., Any]) -> Any:
    """The type of document that the engine answers to a verb; None for no answer."""
    return eval(verb.__annotations__["return"], _names())


def decoded(raw: bytes, kind: Any) -> Any:
    """The answer as ``kind``. A list that the engine says as null is an empty one."""
    if kind is None:
        return None
    text = raw.strip()
    if text in (b"", b"null"):
        text = b"[]" if getattr(kind, "__origin__", None) is tuple else b"{}"
    return decode(text, kind)


def answered(
    verb: Callable[P, Call[T]],
) -> Callable[Concatenate[Any, P], T]:
    """A method that waits for the answer."""

    @functools.wraps(verb)
    def method(noun: Any, /, *args: P.args, **kwargs: P.kwargs) -> Any:
        return decoded(noun.engine.read(verb(*args, **kwargs)), answer_type(verb))

    return method


def streamed(verb: Callable[P, Lines[T]]) -> Callable[Concatenate[Any, P], Iterator[T]]:
    """A method that answers documents as they come."""

    @functools.wraps(verb)
    def method(noun: Any, /, *args: P.args, **kwargs: P.kwargs) -> Iterator[Any]:
        kind = answer_type(verb)
        lines = noun.engine.raw_lines(verb(*args, **kwargs))
        return (decoded(line, kind) for line in lines)

    return method


def piecewise(verb: Callable[P, Pieces]) -> Callable[Concatenate[Any, P], Iterator[bytes]]:
    """A method that answers bytes as they come."""

    @functools.wraps(verb)
    def method(noun: Any, /, *args: P.args, **kwargs: P.kwargs) -> Iterator[bytes]:
        pieces: Iterator[bytes] = noun.engine.pieces(verb(*args, **kwargs))
        return pieces

    return method


def async_answered(
    verb: Callable[P, Call[T]],
) -> Callable[Concatenate[Any, P], Awaitable[T]]:
    """The same, awaited."""

    @functools.wraps(verb)
    async def method(noun: Any, /, *args: P.args, **kwargs: P.kwargs) -> Any:
        return decoded(await noun.engine.read(verb(*args, **kwargs)), answer_type(verb))

    return method


def async_streamed(verb: Callable[P, Lines[T]]) -> Callable[Concatenate[Any, P], AsyncGenerator[T]]:
    """Documents as they come. Leave the loop early only within ``contextlib.aclosing``."""

    @functools.wraps(verb)
    async def method(noun: Any, /, *args: P.args, **kwargs: P.kwargs) -> AsyncGenerator[Any]:
        kind = answer_type(verb)
        async with aclosing(noun.engine.raw_lines(verb(*args, **kwargs))) as lines:
            async for line in lines:
                yield decoded(line, kind)

    return method


def async_piecewise(
    verb: Callable[P, Pieces],
) -> Callable[Concatenate[Any, P], AsyncGenerator[bytes]]:
    """Bytes as they come; see async_streamed."""

    @functools.wraps(verb)
    async def method(noun: Any, /, *args: P.args, **kwargs: P.kwargs) -> AsyncGenerator[bytes]:
        async with aclosing(noun.engine.pieces(verb(*args, **kwargs))) as pieces:
            async for piece in pieces:
                yield piece

    return method
