import pytest
from hypothesis import given
from hypothesis import strategies as st

from knarr.api.streams import RAW, DetachScanner, detach_sequence, refused_in_text
from knarr.errors import InvalidArgument, NotFound
from knarr.http.message import Hijack, Response


def test_detach_keys_are_bytes_of_a_terminal() -> None:
    assert detach_sequence("") == b"\x10\x11"
    assert detach_sequence("ctrl-a,x,ctrl-@") == b"\x01x\x00"


@pytest.mark.parametrize("keys", ["ctrl-", "ctrl-1", "up", "ctrl-a,,b"])
def test_what_is_no_key_is_refused(keys: str) -> None:
    with pytest.raises(InvalidArgument, match="Invalid detach keys"):
        detach_sequence(keys)


def test_the_keys_are_seen_when_they_come_one_at_a_time() -> None:
    scanner = DetachScanner(b"\x10\x11")
    assert scanner.feed(b"ls\n\x10") == (b"ls\n", False)
    assert scanner.feed(b"\x11") == (b"", True)


def test_a_key_that_was_not_followed_up_is_passed_on() -> None:
    scanner = DetachScanner(b"\x10\x11")
    assert scanner.feed(b"\x10") == (b"", False)
    assert scanner.feed(b"x") == (b"\x10x", False)
    assert scanner.feed(b"\x10\x10\x11") == (b"\x10", True)


@given(st.lists(st.binary(max_size=20)))
def test_input_without_the_keys_passes_whole(pieces: list[bytes]) -> None:
    scanner = DetachScanner(b"\xfe\xff")
    clean = [piece.replace(b"\xff", b"").replace(b"\xfe", b"") for piece in pieces]
    assert b"".join(scanner.feed(piece)[0] for piece in clean) == b"".join(clean)


async def test_a_refusal_is_a_line_of_text_where_streams_are_raw() -> None:
    @refused_in_text
    async def attach() -> Hijack:
        raise NotFound("No such container: web")

    answer = await attach()
    assert isinstance(answer, Response)
    assert (answer.status, answer.body) == (404, b"No such container: web\r\n")
    assert answer.headers == {"Content-Type": RAW}
