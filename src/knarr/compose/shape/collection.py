"""Lists, maps and objects, and what has a short spelling beside the long one."""

import difflib
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from knarr.compose.gotext import text_of
from knarr.compose.origin import dotted
from knarr.compose.shape.base import ABSENT, Base, Form, Place, Shape, ShapeError, kind_of
from knarr.compose.tree import in_order

EXTENSION: Final = "x-"
NAME_PATTERN: Final = r"^[a-zA-Z0-9._-]+$"


@dataclass(frozen=True, slots=True)
class ListOf(Shape):
    """Values in a row; a later file's come after an earlier one's.

    key: what makes an entry replace an earlier one in its place.  unique: equal ones are refused.
    expand: one entry as written to those it stands for.  lonely: one may stand without a list;
    stays_lonely: and does, for people to read.
    """

    item: Shape
    key: Callable[[Any], str] | None = None
    unique: bool = False
    expand: Callable[[Any, Place], list[Any]] | None = None
    lonely: bool = False
    stays_lonely: bool = False

    def accepts(self, value: object) -> bool:
        return isinstance(value, list) or (self.lonely and isinstance(value, str))

    def check(self, value: Any, at: Place) -> None:
        if not self.accepts(value):
            raise at.misfit("must be a string" if self.lonely else "must be a array")
        for index, entry in enumerate(_listed(value)):
            self.item.check(entry, at / index)
        if self.unique and self.key is None:
            _refuse_equal(_listed(value), at)

    def read(self, value: Any, at: Place) -> Any:
        if at.as_written and self.stays_lonely and not isinstance(value, list):
            return value
        if at.as_written and self.expand and self._has_unreadable(value, at):
            return value  # with one, all stay as they are
        entries = []
        for index, entry in enumerate(_listed(value)):
            entry_read = self.item.read(entry, at / index)
            if self.expand is None or at.is_template(entry_read):
                entries.append(entry_read)
            else:
                entries += self.expand(entry_read, at / index)
        return self._keyed(entries)

    def _has_unreadable(self, value: list[Any], at: Place) -> bool:
        if self.expand is None:
            return False
        try:
            for index, entry in enumerate(value):
                self.expand(self.item.read(entry, at / index), at / index)
        except ShapeError:
            return True
        return False

    def merge(self, base: Any, other: Any) -> Any:
        if base is None:
            return other
        return self._keyed([*_listed(base), *(() if other is None else _listed(other))])

    def _keyed(self, entries: list[Any]) -> list[Any]:
        if self.key is None:
            return entries
        return list({self.key(entry): entry for entry in entries}.values())

    def complete(self, value: Any, at: Place) -> Any:
        if not isinstance(value, list):
            return value
        if self.unique:
            _refuse_equal(value, at)
        return [self.item.complete(entry, at / index) for index, entry in enumerate(value)]

    def locate(self, value: Any, base: Base) -> Any:
        if not isinstance(value, list):
            return value
        return [self.item.locate(entry, base) for entry in value]

    def write(self, value: Any, form: Form) -> Any:
        return [self.item.write(entry, form) for entry in value]

    def omits(self, value: Any) -> bool:
        return not value


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _refuse_equal(value: list[Any], at: Place) -> None:
    for later, entry in enumerate(value):
        earlier = value.index(entry)
        if earlier < later:
            raise at.misfit(f"items at {earlier} and {later} are equal")


@dataclass(frozen=True, slots=True)
class MapOf(Shape):
    """A map whose keys people choose; keys of a later file are added to an earlier one's."""

    item: Shape
    pattern: str = r"^.+$"
    closed: bool = True  # keys that do not fit the pattern are refused
    keeps_empty: bool = False

    def accepts(self, value: object) -> bool:
        return isinstance(value, dict)

    def check(self, value: Any, at: Place) -> None:
        if not isinstance(value, dict):
            raise at.misfit("must be a mapping")
        _refuse_keys([key for key in value if self.closed and not self._fits(key)], at)
        for key, entry in value.items():
            if self._fits(key):
                self.item.check(entry, at / key)

    def _fits(self, key: str) -> bool:
        return re.search(self.pattern, key) is not None

    def read(self, value: Any, at: Place) -> Any:
        return {key: self.item.read(entry, at / key) for key, entry in value.items()}

    def merge(self, base: Any, other: Any) -> Any:
        return _merged(base, other, lambda _: self.item)

    def complete(self, value: Any, at: Place) -> Any:
        return {key: self.item.complete(entry, at / key) for key, entry in value.items()}

    def locate(self, value: Any, base: Base) -> Any:
        return {key: self.item.locate(entry, base) for key, entry in value.items()}

    def write(self, value: Any, form: Form) -> Any:
        keys = in_order(value, natural=form is Form.YAML)
        return {key: self.item.write(value[key], form) for key in keys}

    def omits(self, value: Any) -> bool:
        return value is None or (not value and not self.keeps_empty)


def _refuse_keys(keys: list[str], at: Place, known: Iterable[str] = ()) -> None:
    if not keys:
        return
    names = ", ".join(f"'{key}'" for key in keys)
    alike = difflib.get_close_matches(keys[0], known, n=1)
    hint = f" (did you mean '{alike[0]}'?)" if alike else ""
    error = at.misfit(f"additional properties {names} not allowed{hint}")
    error.path = (at / keys[0]).path  # the line to look at
    raise error


def _merged(base: Any, other: Any, shape_of: Callable[[str], Shape]) -> Any:
    if base is None or other is None:
        return base if other is None else other
    merged = dict(base)
    for key, value in other.items():
        merged[key] = shape_of(key).merge(base[key], value) if key in base else value
    return merged


@dataclass(frozen=True, slots=True)
class Fields(Shape):
    """An object with keys of the specification's, in the order in which ``config`` shows them.

    required: keys that must be there when all files are merged.  defaults: what stands for absent
    keys then.  extensible: keys that begin with ``x-`` are kept.  json: keys that a JSON document
    shows even when nothing was said.  spelled: keys that it spells differently.
    """

    fields: Mapping[str, Shape]
    required: tuple[str, ...] = ()
    defaults: Mapping[str, Any] = field(default_factory=dict)
    extensible: bool = True
    spelled: Mapping[str, str] = field(default_factory=dict)
    json_default: Any = ABSENT  # what JSON shows in place of the whole object when it is absent
    keeps_empty: bool = True
    settle: Callable[[dict[str, Any], Place], dict[str, Any]] | None = (
        None  # at the end of complete
    )

    def accepts(self, value: object) -> bool:
        return isinstance(value, dict)

    def shape_of(self, key: str) -> Shape:
        return self.fields.get(key, _KEPT)

    def check(self, value: Any, at: Place) -> None:
        if not isinstance(value, dict):
            raise at.misfit("must be a mapping")
        _refuse_keys([key for key in value if not self._knows(key)], at, self.fields)
        for key, entry in value.items():
            self.shape_of(key).check(entry, at / key)

    def _knows(self, key: str) -> bool:
        return key in self.fields or (self.extensible and key.startswith(EXTENSION))

    def read(self, value: Any, at: Place) -> Any:
        return {key: self.shape_of(key).read(entry, at / key) for key, entry in value.items()}

    def merge(self, base: Any, other: Any) -> Any:
        return _merged(base, other, self.shape_of)

    def complete(self, value: Any, at: Place) -> Any:
        missing = [key for key in self.required if key not in value]
        if missing:
            names = ", ".join(f"'{key}'" for key in missing)
            raise at.misfit(f"missing propert{'ies' if len(missing) > 1 else 'y'} {names}")
        whole = {**self.defaults, **value}
        whole = {
            key: self.shape_of(key).complete(entry, at / key) if entry is not None else None
            for key, entry in whole.items()
        }
        return self.settle(whole, at) if self.settle else whole

    def locate(self, value: Any, base: Base) -> Any:
        return {
            key: self.shape_of(key).locate(entry, base) if entry is not None else None
            for key, entry in value.items()
        }

    def write(self, value: Any, form: Form) -> Any:
        document: dict[str, Any] = {}
        for key, shape in self.fields.items():
            if key in value and not shape.omits(value[key]):
                written = shape.write(value[key], form)
            else:
                written = shape.always(form)
            if written is not ABSENT:
                document[self._spelling(key, form)] = written
        if form is Form.YAML:
            extensions = {key: each for key, each in value.items() if key.startswith(EXTENSION)}
            document.update({key: extensions[key] for key in in_order(extensions, natural=True)})
        return document

    def _spelling(self, key: str, form: Form) -> str:
        return self.spelled.get(key, key) if form is Form.JSON else key

    def omits(self, value: Any) -> bool:
        return value is None or (not value and not self.keeps_empty)

    def always(self, form: Form) -> Any:
        return self.json_default if form is Form.JSON else ABSENT


@dataclass(frozen=True, slots=True)
class _Kept(Shape):
    """An extension: kept as it is; mappings of several files are merged, lists joined."""

    def check(self, value: Any, at: Place) -> None:
        pass

    def merge(self, base: Any, other: Any) -> Any:
        match base, other:
            case dict(), dict():
                return _merged(base, other, lambda _: self)
            case list(), list():
                return [*base, *other]
        return base if other is None else other


_KEPT: Final = _Kept()


@dataclass(frozen=True, slots=True)
class Either(Shape):
    """A long spelling, and a short one that is lifted to it when read."""

    short: Shape
    lift: Callable[[Any, Place], Any]
    long: Shape
    complaint: str = "must be a string"  # about what is neither

    def accepts(self, value: object) -> bool:
        return self.short.accepts(value) or self.long.accepts(value)

    def check(self, value: Any, at: Place) -> None:
        if self.long.accepts(value):
            self.long.check(value, at)
        elif self.short.accepts(value):
            self.short.check(value, at)
        else:
            raise at.misfit(self.complaint)

    def read(self, value: Any, at: Place) -> Any:
        if self.long.accepts(value):
            return self.long.read(value, at)
        try:
            lifted = self.lift(self.short.read(value, at), at)
        except ShapeError:
            if at.is_template(value):
                return value
            raise
        return self.long.read(lifted, at) if self.long.accepts(lifted) else lifted

    def merge(self, base: Any, other: Any) -> Any:
        if not self.long.accepts(base) or not self.long.accepts(other):
            return base if other is None else other
        return self.long.merge(base, other)

    def complete(self, value: Any, at: Place) -> Any:
        return self.long.complete(value, at) if self.long.accepts(value) else value

    def locate(self, value: Any, base: Base) -> Any:
        return self.long.locate(value, base) if self.long.accepts(value) else value

    def write(self, value: Any, form: Form) -> Any:
        return self.long.write(value, form) if self.long.accepts(value) else value

    def omits(self, value: Any) -> bool:
        return self.long.omits(value)

    def always(self, form: Form) -> Any:
        return self.long.always(form)


@dataclass(frozen=True, slots=True)
class Nullable(Shape):
    """Null is lawful, and means that nothing is said."""

    shape: Shape
    kept: bool = False  # a document shows the null

    def accepts(self, value: object) -> bool:
        return value is None or self.shape.accepts(value)

    def check(self, value: Any, at: Place) -> None:
        if value is None:
            return
        if not self.shape.accepts(value):
            kinds = f"{'null or string' if kind_of('') == self._kind() else 'mapping or null'}"
            raise at.misfit(f"must be a {kinds}")
        self.shape.check(value, at)

    def _kind(self) -> str:
        return "string" if self.shape.accepts("") else "mapping"

    def read(self, value: Any, at: Place) -> Any:
        return None if value is None else self.shape.read(value, at)

    def merge(self, base: Any, other: Any) -> Any:
        return (
            self.shape.merge(base, other)
            if base is not None and other is not None
            else (base if other is None else other)
        )

    def complete(self, value: Any, at: Place) -> Any:
        return None if value is None else self.shape.complete(value, at)

    def locate(self, value: Any, base: Base) -> Any:
        return None if value is None else self.shape.locate(value, base)

    def write(self, value: Any, form: Form) -> Any:
        return None if value is None else self.shape.write(value, form)

    def omits(self, value: Any) -> bool:
        return not self.kept if value is None else self.shape.omits(value)

    def always(self, form: Form) -> Any:
        return self.shape.always(form)


def by_text(entry: Any) -> str:
    """Entries that begin alike up to ``=`` are one: the key of most lists of words."""
    return text_of(entry).partition("=")[0]


def by_field(name: str, default: Callable[[Any], str] | None = None) -> Callable[[Any], str]:
    """Entries with the same value of a field are one."""

    def key(entry: Any) -> str:
        if not isinstance(entry, dict):
            return str(entry)
        if name in entry:
            return str(entry[name])
        return default(entry) if default else dotted((name, str(entry)))

    return key
