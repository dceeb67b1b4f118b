"""Protocol buffers, as much as BuildKit's interfaces use of them: messages are dataclasses.

A field's number stands in its type: ``path: Annotated[str, 1] = ""``. Known are ``int`` and
``bool`` (varints), ``str``, ``bytes``, another message or None, lists of these (packed numbers,
too) and maps with text as keys. What a message does not declare is skipped, and what has its
default is not written.

Source: protobuf.dev, "Encoding".
"""

import types
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Any, Final, Self, Union, get_args, get_origin, get_type_hints

from knarr.errors import InvalidArgument

_VARINT: Final = 0
_FIXED_64: Final = 1
_BYTES: Final = 2
_FIXED_32: Final = 5
_VARINT_BYTES: Final = 10  # at most
_MASK_64: Final = (1 << 64) - 1
_DEPTH_MAX: Final = 32  # of messages in messages


@dataclass(slots=True)
class Message:
    """Base of all messages. Subclasses are dataclasses whose fields all have defaults."""

    def encode(self) -> bytes:
        out = bytearray()
        for field in _fields(type(self)).values():
            value = getattr(self, field.name)
            if value is None or value in ("", b"", 0) or value == [] or value == {}:
                continue
            field.write(out, value)
        return bytes(out)

    @classmethod
    def decode(cls, raw: bytes) -> Self:
        """Raises InvalidArgument for bytes that are no message."""
        message: Self = _decoded(cls, memoryview(raw), 0)
        return message


@dataclass(frozen=True, slots=True)
class _Kind:
    """How one value is written and read; ``kind`` is int, bool, str, bytes, or a message."""

    kind: type[Any]

    def put(self, out: bytearray, number: int, value: Any) -> None:
        if self.kind in (int, bool):
            _put_varint(out, number << 3)
            _put_varint(out, int(value) & _MASK_64)
            return
        if self.kind is str:
            raw = value.encode(errors="surrogateescape")
        else:
            raw = value if self.kind is bytes else value.encode()
        _put_varint(out, number << 3 | _BYTES)
        _put_varint(out, len(raw))
        out += raw

    def take(self, value: int | memoryview, depth: int) -> Any:
        if self.kind in (int, bool):
            if not isinstance(value, int):
                raise InvalidArgument("malformed message: a number was expected")
            signed = value - (1 << 64) if value >> 63 else value
            return bool(value) if self.kind is bool else signed
        if isinstance(value, int):
            raise InvalidArgument("malformed message: bytes were expected")
        if self.kind is bytes:
            return bytes(value)
        if self.kind is str:
            return str(value, "utf-8", "surrogateescape")
        return _decoded(self.kind, value, depth + 1)


@dataclass(frozen=True, slots=True)
class _Field:
    """shape: one, many, or map, whose ``kind`` is that of its values."""

    name: str
    number: int
    kind: _Kind
    shape: str

    def write(self, out: bytearray, value: Any) -> None:
        if self.shape == "one":
            self.kind.put(out, self.number, value)
        elif self.shape == "many":
            for each in value:
                self.kind.put(out, self.number, each)
        else:
            for key, each in value.items():
                pair = bytearray()
                _TEXT.put(pair, 1, key)
                self.kind.put(pair, 2, each)
                _RAW.put(out, self.number, bytes(pair))

    def read(self, into: Any, value: int | memoryview, depth: int) -> None:
        if self.shape == "one":
            setattr(into, self.name, self.kind.take(value, depth))
        elif self.shape == "many" and self.kind.kind is int and not isinstance(value, int):
            getattr(into, self.name).extend(_packed(value))
        elif self.shape == "many":
            getattr(into, self.name).append(self.kind.take(value, depth))
        else:
            self._read_pair(getattr(into, self.name), value, depth)

    def _read_pair(self, into: dict[str, Any], value: int | memoryview, depth: int) -> None:
        if isinstance(value, int):
            raise InvalidArgument("malformed message: a map's entry was expected")
        key, held = "", self.kind.kind()
        for number, part in _parts(value):
            if number == 1:
                key = _TEXT.take(part, depth)
            elif number == 2:
                held = self.kind.take(part, depth)
        into[key] = held


_TEXT: Final = _Kind(str)
_RAW: Final = _Kind(bytes)


_known: dict[type[Any], dict[int, _Field]] = {}


def _fields(cls: type[Any]) -> dict[int, _Field]:
    """By number. Made at the first use, since a message may name one that is declared below."""
    if (known := _known.get(cls)) is not None:
        return known
    found: dict[int, _Field] = {}
    for name, hint in get_type_hints(cls, include_extras=True).items():
        if get_origin(hint) is Annotated:
            declared, number = get_args(hint)
            found[number] = _Field(name, number, *_shape(declared))
    _known[cls] = dict(sorted(found.items()))
    return _known[cls]


def _shape(declared: Any) -> tuple[_Kind, str]:
    origin, arguments = get_origin(declared), get_args(declared)
    if origin is list:
        return _Kind(arguments[0]), "many"
    if origin is dict:
        return _Kind(arguments[1]), "map"
    if origin in (Union, types.UnionType):
        return _Kind(next(each for each in arguments if each is not types.NoneType)), "one"
    return _Kind(declared), "one"


def _decoded(cls: type[Any], raw: memoryview, depth: int) -> Any:
    if depth > _DEPTH_MAX:
        raise InvalidArgument("malformed message: nested too deeply")
    message, fields = cls(), _fields(cls)
    for number, value in _parts(raw):
        if (field := fields.get(number)) is not None:
            field.read(message, value, depth)
    return message


def _parts(raw: memoryview) -> Iterator[tuple[int, int | memoryview]]:
    """Field numbers and what they have: numbers, or the bytes of everything else."""
    position, end = 0, len(raw)
    while position < end:
        tag, position = _varint(raw, position)
        kind = tag & 7
        if kind == _VARINT:
            value, position = _varint(raw, position)
            yield tag >> 3, value
            continue
        size = {_FIXED_64: 8, _FIXED_32: 4}.get(kind, 0)
        if kind == _BYTES:
            size, position = _varint(raw, position)
        elif not size:
            raise InvalidArgument(f"malformed message: wire type {kind}")
        if position + size > end:
            raise InvalidArgument("malformed message: it ends within a field")
        yield tag >> 3, raw[position : position + size]
        position += size


def _packed(raw: memoryview) -> Iterator[int]:
    position = 0
    while position < len(raw):
        value, position = _varint(raw, position)
        yield value - (1 << 64) if value >> 63 else value


def _varint(raw: memoryview, position: int) -> tuple[int, int]:
    value = 0
    for place, byte in enumerate(raw[position : position + _VARINT_BYTES]):
        value |= (byte & 127) << 7 * place
        if byte < 128:
            return value & _MASK_64, position + place + 1
    raise InvalidArgument("malformed message: a number does not end")


def _put_varint(out: bytearray, value: int) -> None:
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    out.append(value)
