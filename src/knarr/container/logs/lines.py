"""Blocks of a log as single lines for a log server: none too long, none empty."""

from collections.abc import Iterator, Mapping
from typing import Final, NamedTuple

from knarr.ids import new_hex
from knarr.runtime.log import Block

PIECE_BYTES: Final = 16 * 1024  # of a line; the rest goes as further messages, as Docker has it


class Line(NamedTuple):
    """``text`` has no newline. piece: what the journal is told of a part of a longer line."""

    stream: int
    time_ns: int
    text: bytes
    piece: Mapping[str, str]


def lines(block: Block) -> Iterator[Line]:
    for text in block.data.split(b"\n"):
        if len(text) > PIECE_BYTES:
            yield from _pieces(block, text)
        elif text:
            yield Line(block.stream, block.time_ns, text, {})


def _pieces(block: Block, text: bytes) -> Iterator[Line]:
    whole = new_hex()
    for ordinal, place in enumerate(range(0, len(text), PIECE_BYTES), start=1):
        last = place + PIECE_BYTES >= len(text)
        piece = {
            "CONTAINER_PARTIAL_ID": whole,
            "CONTAINER_PARTIAL_ORDINAL": str(ordinal),
            "CONTAINER_PARTIAL_LAST": "true" if last else "false",
        }
        if not last:
            piece["CONTAINER_PARTIAL_MESSAGE"] = "true"
        yield Line(block.stream, block.time_ns, text[place : place + PIECE_BYTES], piece)
