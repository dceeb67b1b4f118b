"""What all documents share: frozen, named as their specification names them, null means absent."""

from collections.abc import Callable, Mapping
from functools import cache
from typing import Any, TypeVar, dataclass_transform

import msgspec
from msgspec import inspect

from knarr.errors import InvalidArgument


@dataclass_transform(frozen_default=True, kw_only_default=True, field_specifiers=(msgspec.field,))
class _Frozen(msgspec.StructMeta):
    """Makes every subclass frozen and keyword-only without saying so again."""

    def __new__(
        mcs, name: str, bases: tuple[type, ...], namespace: dict[str, Any], **options: Any
    ) -> Any:
        options = {"frozen": True, "kw_only": True, **options}
        return super().__new__(mcs, name, bases, namespace, **options)


class Document(msgspec.Struct, metaclass=_Frozen, rename="pascal"):
    """A document whose keys are written LikeThis, as the Engine API writes them."""


class CamelDocument(msgspec.Struct, metaclass=_Frozen, rename="camel", omit_defaults=True):
    """A document whose keys are written likeThis, as the OCI specifications write them."""


class SnakeDocument(msgspec.Struct, metaclass=_Frozen, omit_defaults=True):
    """A document whose keys are written like_this: an image's config blob, statistics."""


D = TypeVar("D")
_BROKEN = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)  # the last: nested too deeply


def encode(document: object) -> bytes:
    """The document as JSON."""
    return msgspec.json.encode(document)


def decode(raw: bytes | str, kind: type[D]) -> D:
    """The document that ``raw`` holds as JSON. Null fields count as absent, nulls in maps stay.

    Raises InvalidArgument, naming the place, when the JSON is broken or of another shape.
    """
    try:
        return msgspec.json.decode(raw, type=kind)
    except msgspec.ValidationError:
        return _decode_with_nulls(raw, kind)
    except _BROKEN as error:
        raise InvalidArgument(f"invalid JSON: {error}") from error


def decode_request(raw: bytes | str, kind: type[D]) -> D:
    """The same for what clients send: the names of fields count in any case, as Go reads them."""
    return _decode_with_nulls(raw, kind)


def _decode_with_nulls(raw: bytes | str, kind: type[D]) -> D:
    try:
        plain = msgspec.json.decode(raw)
        return msgspec.convert(_without_nulls(plain, _shape(kind)), kind)
    except msgspec.ValidationError as error:
        raise InvalidArgument(f"invalid JSON document: {error}") from error
    except _BROKEN as error:
        raise InvalidArgument(f"invalid JSON: {error}") from error


_shape: Callable[[Any], inspect.Type] = cache(inspect.type_info)


def _without_nulls(value: Any, shape: inspect.Type) -> Any:
    match shape:
        case inspect.StructType() if isinstance(value, dict):
            return _fields_without_nulls(value, _fields(shape.cls))
        case inspect.DictType() if isinstance(value, dict):
            return {
                key: _without_nulls(item, shape.value_type) if item is not None else _empty(shape)
                for key, item in value.items()
            }
        case inspect.VarTupleType() | inspect.ListType() if isinstance(value, list):
            return [_without_nulls(item, shape.item_type) for item in value]
        case inspect.UnionType():
            structured = [each for each in shape.types if not isinstance(each, inspect.NoneType)]
            return _without_nulls(value, structured[0]) if len(structured) == 1 else value
        case _:
            return value


def _fields_without_nulls(value: dict[str, Any], fields: Mapping[str, inspect.Field]) -> Any:
    found: dict[str, Any] = {}
    for key, item in value.items():
        field = fields.get(key.lower())
        if field is None or (item is None and not field.required):
            continue
        if key == field.encode_name or field.encode_name not in value:
            found[field.encode_name] = _without_nulls(item, field.type)
    return found


@cache
def _fields(kind: type) -> Mapping[str, inspect.Field]:
    """A document's fields by their names in lower case."""
    shape = _shape(kind)
    assert isinstance(shape, inspect.StructType)
    return {field.encode_name.lower(): field for field in shape.fields}


def _empty(shape: inspect.DictType) -> Any:
    """A null in a map: kept where the map's values may be null, else the value's empty form."""
    match shape.value_type:
        case inspect.UnionType():
            return None
        case inspect.StructType() | inspect.DictType():
            return {}
        case inspect.VarTupleType() | inspect.ListType():
            return []
        case inspect.StrType():
            return ""
        case _:
            return None
