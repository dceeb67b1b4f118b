from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from knarr.errors import Unavailable
from knarr.http.frames import STDERR, STDOUT, Demultiplexer, frame, joined

frames = st.lists(st.tuples(st.sampled_from([STDOUT, STDERR]), st.binary(max_size=40)), max_size=8)


@given(frames, st.integers(1, 30))
def test_streams_come_apart_however_the_bytes_are_cut(
    written: list[tuple[int, bytes]], step: int
) -> None:
    raw = b"".join(frame(stream, data) for stream, data in written)
    frames = Demultiplexer()
    got = [pair for place in range(0, len(raw), step) for pair in frames.feed(raw[place:][:step])]
    for stream in (STDOUT, STDERR):
        assert b"".join(data for number, data in got if number == stream) == b"".join(
            data for number, data in written if number == stream
        )


def test_bytes_that_are_no_frame_are_refused() -> None:
    with pytest.raises(Unavailable, match="Unrecognized input header: 72"):
        Demultiplexer().feed(b"HTTP/1.1 500")


@given(frames)
def test_neighbours_are_joined_and_nothing_else_changes(written: list[tuple[int, bytes]]) -> None:
    together = joined(written)
    flat = [(stream, byte) for stream, data in written for byte in data]
    assert [(stream, byte) for stream, data in together for byte in data] == flat
    assert all(one[0] != other[0] for one, other in pairwise(together))


def test_a_frame_of_nothing_is_no_trouble() -> None:
    frames = Demultiplexer()
    assert frames.feed(frame(STDOUT, b"") + frame(STDERR, b"x")) == [(STDERR, b"x")]
