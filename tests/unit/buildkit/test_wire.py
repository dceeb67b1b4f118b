from contextlib import suppress
from dataclasses import dataclass, field
from typing import Annotated

import pytest
from hypothesis import given
from hypothesis import strategies as st

from knarr.buildkit.messages import Exporter, Packet, SolveRequest, Stat, StatusResponse
from knarr.buildkit.wire import Message
from knarr.errors import InvalidArgument


@dataclass(slots=True, kw_only=True)
class Inner(Message):
    name: Annotated[str, 1] = ""


@dataclass(slots=True, kw_only=True)
class All(Message):
    number: Annotated[int, 1] = 0
    flag: Annotated[bool, 2] = False
    text: Annotated[str, 3] = ""
    raw: Annotated[bytes, 4] = b""
    inner: Annotated[Inner | None, 5] = None
    many: Annotated[list[Inner], 6] = field(default_factory=list)
    numbers: Annotated[list[int], 7] = field(default_factory=list)
    texts: Annotated[dict[str, str], 200] = field(default_factory=dict)
    inners: Annotated[dict[str, Inner], 201] = field(default_factory=dict)


_INT64 = st.integers(-(1 << 63), (1 << 63) - 1)
_INNER = st.builds(Inner, name=st.text())
_ALL = st.builds(
    All, number=_INT64, flag=st.booleans(), text=st.text(), raw=st.binary(),
    inner=st.none() | _INNER, many=st.lists(_INNER), numbers=st.lists(_INT64),
    texts=st.dictionaries(st.text(), st.text()), inners=st.dictionaries(st.text(), _INNER),
)  # fmt: skip


@given(_ALL)
def test_what_is_written_is_read_again(message: All) -> None:
    assert All.decode(message.encode()) == message


@given(st.binary(max_size=64))
def test_bytes_that_are_no_message_are_refused_and_no_more(raw: bytes) -> None:
    with suppress(InvalidArgument):
        assert isinstance(All.decode(raw), All)


def test_the_bytes_are_those_of_the_specification() -> None:
    # "Encoding" of protobuf.dev: field 1, varint 150; field 2, the text "testing".
    assert All(number=150).encode() == bytes.fromhex("089601")
    assert Packet(type=2, id=7, data=b"testing").encode() == b"\x08\x02\x18\x07\x22\x07testing"
    assert Stat(mode=1 << 31, mtime_ns=-1).encode() == (
        b"\x10\x80\x80\x80\x80\x08" + b"\x30" + b"\xff" * 9 + b"\x01"
    )
    asked = SolveRequest(ref="r", exporters=[Exporter(type="moby", attrs={"name": "a"})])
    assert asked.encode() == b"\x0a\x01r\x6a\x11\x0a\x04moby\x12\x09\x0a\x04name\x12\x01a"


def test_packed_numbers_and_unknown_fields_of_every_kind_are_read_over() -> None:
    packed = b"\x3a\x03\x01\x96\x01"
    unknown = b"\xf8\x07\x01" + b"\xf9\x07" + b"8" * 8 + b"\xfd\x07" + b"4444" + b"\xfa\x07\x01x"
    assert All.decode(packed + unknown) == All(numbers=[1, 150])
    assert StatusResponse.decode(b"\x22\x02\x10\x01") == StatusResponse()  # a warning


@pytest.mark.parametrize(
    "raw", [b"\x08", b"\x1a\x05abc", b"\x0b", b"\x08" + b"\xff" * 11, b"\x18\x01", b"\x0a\x01a"]
)
def test_broken_fields_are_refused(raw: bytes) -> None:
    with pytest.raises(InvalidArgument, match="malformed message"):
        All.decode(raw)


@dataclass(slots=True, kw_only=True)
class Nested(Message):
    inner: Annotated["Nested | None", 1] = None


def test_messages_nest_so_deep_and_no_deeper() -> None:
    raw = b""
    for _ in range(30):
        raw = b"\x0a" + bytes([len(raw)]) + raw
    assert Nested.decode(raw).encode() == raw
    for _ in range(20):
        raw = b"\x0a" + bytes([len(raw)]) + raw
    with pytest.raises(InvalidArgument, match="nested too deeply"):
        Nested.decode(raw)
