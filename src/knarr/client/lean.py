"""What the command line's start cannot afford from the standard library, in a few lines.

A command must begin within a few milliseconds, and ``json`` (which needs ``re``), ``urllib.parse``
and ``typing`` cost 6 to 9 ms each. CPython's own C halves of ``json`` need none of that.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any as Any
    from typing import Final as Final
    from typing import Generic, TypeVar
    from typing import TextIO as TextIO

    T = TypeVar("T")

    class Answered(Generic[T]):
        """Names a type of answer for the type checker; at run time there is nothing to it."""
else:
    T = Any = TextIO = object

    class Final:
        """As ``typing`` has it, for annotations that are looked at when a module begins."""

        def __class_getitem__(cls, item: object) -> type:
            return cls

    class Answered:
        def __class_getitem__(cls, item: object) -> type:
            return cls


try:
    import _json as _c
except ImportError:  # another Python than CPython
    _c = None  # type: ignore[assignment]

_SPACE = " \t\r\n"


class _Scanning:
    """What the C scanner reads its settings from, as ``json.JSONDecoder`` has them."""

    strict = False
    object_hook = None
    object_pairs_hook = None
    array_hook = None  # new in Python 3.15
    parse_float = float
    parse_int = int
    memo: dict[str, str] = {}  # noqa: RUF012

    @staticmethod
    def parse_constant(name: str) -> float:
        return float(name.replace("Infinity", "inf"))


def loads(text: str | bytes) -> Any:
    """The value of a JSON text. Raises ValueError when it is none."""
    if isinstance(text, (bytes, bytearray)):
        text = text.decode("utf-8", "surrogatepass")
    if _c is None:
        import json

        return json.loads(text, strict=False)
    body = text.strip(_SPACE)
    try:
        value, end = _c.make_scanner(_Scanning)(body, 0)  # type: ignore[arg-type]
    except StopIteration as stop:
        raise ValueError(f"no JSON value at character {stop.value}") from None
    if end != len(body):
        raise ValueError(f"more than one JSON value: character {end}")
    return value


def dumps(value: Any) -> str:
    """Compact JSON, keys in the order they have."""
    if _c is None:
        import json

        return json.dumps(value, separators=(",", ":"))
    encoder = _c.make_encoder(
        None, _unknown, _c.encode_basestring_ascii, None, ":", ",", False, False, False
    )
    return "".join(encoder(value, 0))


def _unknown(value: object) -> Any:
    raise TypeError(f"{type(value).__name__} has no place in JSON")


_PLAIN = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")


def quote(text: str, also: str = "") -> str:
    """Percent-encode all but RFC 3986's unreserved characters and those in ``also``."""
    if text.isascii() and text.isalnum():
        return text
    plain = _PLAIN | frozenset(also.encode())
    return "".join(
        chr(byte) if byte in plain else f"%{byte:02X}"
        for byte in text.encode("utf-8", "surrogateescape")
    )
