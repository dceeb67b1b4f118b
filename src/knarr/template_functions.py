"""The functions of templates: Go's own, and those that Docker adds; how values are printed.

Source: the documentation of Go's text/template and fmt; formats.md, "Display rules".
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from knarr.quoting import quoted

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, Final

    _Map = dict[str, Any]
else:
    _Map = dict  # who starts the command line pays for these modules: no ``typing``


class FunctionError(Exception):
    """A function cannot do it. bare: the message stands for itself, without the call's name."""

    def __init__(self, message: str, *, bare: bool = False) -> None:
        super().__init__(message)
        self.bare = bare


class NoValue:
    """What a dict answers for a key that it has not; printed ``<no value>``."""


class Struct(_Map):
    """A dict that is a struct in Go: printed without its keys, in the order it came."""


def is_true(value: Any) -> bool:
    """Whether a condition holds: not false, 0, empty or missing."""
    return bool(value) and not isinstance(value, NoValue)


def kind_name(value: Any) -> str:
    """The Go type that messages name for a plain value."""
    kinds: tuple[tuple[type, str], ...] = (
        (bool, "bool"), (int, "int"), (float, "float64"), (str, "string"),
        (Mapping, "map[string]interface {}"), (list, "[]interface {}"), (tuple, "[]interface {}"),
    )  # fmt: skip
    return next((name for kind, name in kinds if isinstance(value, kind)), "interface {}")


def printed(value: Any, *, top: bool = False) -> str:
    """As fmt's %v writes it. top: nothing at all is ``<no value>``, not ``<nil>``."""
    if isinstance(value, str):
        return value
    if value is None or isinstance(value, NoValue):
        return "<no value>" if top else "<nil>"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return _float(value)
    if isinstance(value, Struct):
        return "{" + " ".join(printed(item) for item in value.values()) + "}"
    if isinstance(value, Mapping):
        pairs = " ".join(f"{key}:{printed(item)}" for key, item in sorted(value.items()))
        return f"map[{pairs}]"
    if isinstance(value, (list, tuple)):
        return "[" + " ".join(printed(item) for item in value) + "]"
    return str(value)


def _float(value: float) -> str:
    if value == int(value) and abs(value) < 1e21:
        return str(int(value))
    text = repr(value)
    return re.sub(r"e([+-])(\d)$", r"e\g<1>0\2", text)


def json_text(value: Any) -> str:
    """As Go encodes it, ``<``, ``>`` and ``&`` as they are."""
    if hasattr(value, "as_json"):
        return str(value.as_json())
    if isinstance(value, NoValue):
        return "null"
    import json as stdlib_json

    text = stdlib_json.dumps(
        value, ensure_ascii=False, separators=(",", ":"), default=lambda other: other.plain()
    )
    return text.replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")


def html_safe(text: str) -> str:
    """JSON text as Go's Marshal leaves it, which thinks of HTML."""
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise FunctionError(
            f"wrong type for value; expected string; got {kind_name(value)}", bare=True
        )
    return value


def _split(text: Any, separator: Any) -> list[str]:
    text, separator = _text(text), _text(separator)
    return text.split(separator) if separator else list(text)


def _join(words: Any, separator: Any) -> str:
    if not isinstance(words, (list, tuple)):
        raise FunctionError(
            f"wrong type for value; expected []string; got {kind_name(words)}", bare=True
        )
    return _text(separator).join(printed(word) for word in words)


def _title(text: Any) -> str:
    return re.sub(r"(?<!\w)\w", lambda match: match[0].upper(), _text(text))


def _pad(text: Any, before: int, after: int) -> str:
    return " " * before + _text(text) + " " * after if text else ""


def _truncate(text: Any, length: int) -> str:
    return _text(text)[:length]


def _print(*values: Any) -> str:
    """A space between two values when neither is a string."""
    out = ""
    for place, value in enumerate(values):
        if place and not isinstance(value, str) and not isinstance(values[place - 1], str):
            out += " "
        out += printed(value)
    return out


def _println(*values: Any) -> str:
    return " ".join(printed(value) for value in values) + "\n"


_VERB: Final = re.compile(r"%([-+# 0]*)(\*|\d+)?(?:\.(\d+))?([a-zA-Z%])")


def _printf(form: Any, *values: Any) -> str:
    left = list(values)

    def shown(match: re.Match[str]) -> str:
        flags, width, precision, verb = match.groups()
        if verb == "%":
            return "%"
        if width == "*" and left:
            width = str(left.pop(0))
        if not left:
            return f"%!{verb}(MISSING)"
        text = _verb(verb, left.pop(0), flags, precision)
        fill = "0" if "0" in flags and "-" not in flags and verb in "dxXobeEfgG" else " "
        size = int(width or 0)
        return text.ljust(size) if "-" in flags else text.rjust(size, fill)

    text = _VERB.sub(shown, _text(form))
    if left:
        extra = ", ".join(f"{kind_name(value)}={printed(value)}" for value in left)
        text += f"%!(EXTRA {extra})"
    return text


def _verb(verb: str, value: Any, flags: str, precision: str | None) -> str:
    bad = f"%!{verb}({kind_name(value)}={printed(value)})"
    plus = "+" if "+" in flags else ""
    match verb:
        case "v" | "s":
            text = printed(value)
            return text if precision is None else text[: int(precision)]
        case "q":
            return quoted(value) if isinstance(value, str) else bad
        case "t":
            return printed(value) if isinstance(value, bool) else bad
        case "T":
            return kind_name(value)
        case "d" | "o" | "b" | "x" | "X" if isinstance(value, int) and not isinstance(value, bool):
            return format(value, plus + verb)
        case "x" | "X" if isinstance(value, str):
            digits = value.encode().hex()
            return digits.upper() if verb == "X" else digits
        case "c" if isinstance(value, int):
            return chr(value)
        case "e" | "E" | "f" | "F" | "g" | "G" if isinstance(value, float):
            return format(value, f"{plus}.{precision or 6}{verb}")
        case _:
            return bad


def _len(value: Any) -> int:
    if isinstance(value, str):
        return len(value.encode())
    if isinstance(value, (list, tuple, Mapping)):
        return len(value)
    raise FunctionError(f"len of type {kind_name(value)}")


def _index(value: Any, *keys: Any) -> Any:
    for key in keys:
        if isinstance(value, Mapping):
            zero = getattr(value, "zero", None)
            value = value.get(key, NoValue() if zero is None else zero)
        elif isinstance(value, (list, tuple, str)):
            if not isinstance(key, int) or isinstance(key, bool):
                raise FunctionError(f"cannot index slice/array with type {kind_name(key)}")
            if not 0 <= key <= len(value):
                raise FunctionError(f"index out of range: {key}")
            if key == len(value):  # Go itself checks one too late, and its reflection speaks
                kind = "string" if isinstance(value, str) else "slice"
                raise FunctionError(f"reflect: {kind} index out of range")
            value = ord(value[key]) if isinstance(value, str) else value[key]
        elif value is None or isinstance(value, NoValue):
            raise FunctionError("index of untyped nil")
        else:
            raise FunctionError(f"can't index item of type {kind_name(value)}")
    return value


def _slice(value: Any, *bounds: Any) -> Any:
    if not isinstance(value, (str, list, tuple)):
        raise FunctionError(f"can't slice item of type {kind_name(value)}")
    start, end = (*bounds, *(0, len(value))[len(bounds) :])[:2]
    for bound in (start, end):
        if not 0 <= bound <= len(value):
            raise FunctionError(f"index out of range: {bound}")
    if start > end:
        raise FunctionError(f"invalid slice index: {start} > {end}")
    return value[start:end]


def _html(*values: Any) -> str:
    text = _print(*values)
    for letter, entity in (("&", "&amp;"), ("'", "&#39;"), ('"', "&#34;"), ("<", "&lt;"),
                           (">", "&gt;"), ("\0", "\ufffd")):  # fmt: skip
        text = text.replace(letter, entity)
    return text


def _js(*values: Any) -> str:
    text = _print(*values)
    for letter, escape in (("\\", "\\\\"), ("'", "\\'"), ('"', '\\"'), ("<", "\\u003C"),
                           (">", "\\u003E"), ("&", "\\u0026"), ("=", "\\u003D"),
                           ("\n", "\\u000A")):  # fmt: skip
        text = text.replace(letter, escape)
    return text


def _urlquery(*values: Any) -> str:
    from urllib.parse import quote_plus

    return quote_plus(_print(*values))


def _comparable(one: Any, other: Any) -> None:
    kinds = (kind_name(one), kind_name(other))
    if kinds[0] != kinds[1] and None not in (one, other):
        raise FunctionError("incompatible types for comparison")


def _eq(one: Any, *others: Any) -> bool:
    if not others:
        raise FunctionError("missing argument for comparison")
    for other in others:
        _comparable(one, other)
    return any(one == other for other in others)


def _ordered(compare: Callable[[Any, Any], bool]) -> Callable[[Any, Any], bool]:
    def function(one: Any, other: Any) -> bool:
        _comparable(one, other)
        if not isinstance(one, (str, int, float)) or isinstance(one, bool):
            raise FunctionError("invalid type for comparison")
        return compare(one, other)

    return function


def _ne(one: Any, other: Any) -> bool:
    return not _eq(one, other)


def _call(function: Any, *_: Any) -> Any:
    raise FunctionError(f"non-function of type {kind_name(function)}")


def _never(*_: Any) -> Any:
    raise AssertionError("and, or are evaluated where their arguments are")


FUNCTIONS: Final[dict[str, Callable[..., Any]]] = {
    "and": _never,
    "call": _call,
    "eq": _eq,
    "ge": _ordered(lambda one, other: one >= other),
    "gt": _ordered(lambda one, other: one > other),
    "html": _html,
    "index": _index,
    "join": _join,
    "js": _js,
    "json": json_text,
    "le": _ordered(lambda one, other: one <= other),
    "len": _len,
    "lower": lambda text: _text(text).lower(),
    "lt": _ordered(lambda one, other: one < other),
    "ne": _ne,
    "not": lambda value: not is_true(value),
    "or": _never,
    "pad": _pad,
    "print": _print,
    "printf": _printf,
    "println": _println,
    "slice": _slice,
    "split": _split,
    "title": _title,
    "truncate": _truncate,
    "upper": lambda text: _text(text).upper(),
    "urlquery": _urlquery,
}
