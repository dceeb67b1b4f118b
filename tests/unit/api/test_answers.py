"""Streams of documents that fail half-way."""

from collections.abc import AsyncIterator

import msgspec
import pytest

from knarr.api.router import answer_of
from knarr.errors import InvalidArgument
from knarr.http.message import Response


async def broken(error: Exception) -> AsyncIterator[object]:
    yield b"1\n"
    raise error


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (InvalidArgument("no such flag"), "no such flag"),
        (LookupError("x"), "internal error: LookupError: x"),
    ],
)
async def test_the_failure_is_the_last_document(error: Exception, told: str) -> None:
    answer = answer_of(broken(error))
    assert isinstance(answer, Response)
    assert isinstance(answer.body, AsyncIterator)
    *_, last = [piece async for piece in answer.body]
    assert msgspec.json.decode(last) == {"errorDetail": {"message": told}, "error": told}


async def test_a_client_that_has_gone_is_told_nothing() -> None:
    answer = answer_of(broken(ConnectionResetError()))
    assert isinstance(answer, Response)
    assert isinstance(answer.body, AsyncIterator)
    with pytest.raises(ConnectionResetError):
        [piece async for piece in answer.body]
