import pytest
from hypothesis import given
from hypothesis import strategies as st

from knarr.cli.attached import Detached, DetachKeys, key_sequence
from knarr.errors import InvalidArgument

KEYS = b"\x10\x11"


@pytest.mark.parametrize(
    ("text", "keys"),
    [
        ("ctrl-p,ctrl-q", b"\x10\x11"), ("a", b"a"), ("ctrl-@,x", b"\x00x"), ("ctrl-[", b"\x1b"),
        ("ctrl-_", b"\x1f"),
    ],
)  # fmt: skip
def test_key_sequences_are_the_bytes_of_a_terminal(text: str, keys: bytes) -> None:
    assert key_sequence(text) == keys


@pytest.mark.parametrize("text", ["foo", "", "ctrl-", "ctrl-é", "a,,b", "ctrl-1"])
def test_what_is_no_key_is_refused(text: str) -> None:
    with pytest.raises(InvalidArgument, match="Unknown character"):
        key_sequence(text)


@given(st.lists(st.binary(max_size=6), max_size=8))
def test_all_that_is_typed_goes_through_but_the_keys(typed: list[bytes]) -> None:
    keys = DetachKeys(KEYS)
    whole = b"".join(typed)
    out = b""
    try:
        for piece in typed:
            out += keys.feed(piece)
    except Detached:
        assert KEYS in whole
        assert whole.startswith(out)
    else:
        assert KEYS not in whole
        held = whole[len(out) :]
        assert out + held == whole
        assert held in (b"", KEYS[:1])


@pytest.mark.parametrize("typed", [[b"x\x10\x11"], [b"x\x10", b"\x11"], [b"x", b"\x10", b"\x11y"]])
def test_the_keys_detach_however_slowly_they_are_typed(typed: list[bytes]) -> None:
    keys = DetachKeys(KEYS)
    for piece in typed[:-1]:
        keys.feed(piece)
    with pytest.raises(Detached):
        keys.feed(typed[-1])


def test_half_of_the_keys_are_ordinary_when_another_follows() -> None:
    keys = DetachKeys(KEYS)
    assert keys.feed(b"\x10") == b""
    assert keys.feed(b"a") == b"\x10a"


def test_without_keys_everything_goes_through() -> None:
    assert DetachKeys(b"").feed(KEYS) == KEYS
