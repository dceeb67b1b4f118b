import pytest
from hypothesis import given
from hypothesis import strategies as st

from knarr.errors import Unavailable
from knarr.http.frames import STDERR, STDOUT, Demultiplexer, frame

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
