"""What may be written as a mapping or as a list of ``KEY=VALUE``; canonical is the mapping.

As somebody wrote it, it is either: a list, or a mapping marked as ``Written``. Two of these are
merged to a list, as Compose does.
"""

from dataclasses import dataclass
from typing import Any, Final

from knarr.compose.gotext import text_of
from knarr.compose.shape.base import Form, Place, Shape, is_one_of
from knarr.compose.tree import in_order

_VALUES: Final = ("boolean", "null", "number", "string")


class Written(dict[str, Any]):
    """A mapping as somebody wrote it."""


def _is_written(*values: Any) -> bool:
    return any(isinstance(each, Written | list) for each in values)


def _entries(value: Any) -> list[str]:
    """``KEY=VALUE`` of each, from either form."""
    if isinstance(value, list):
        return value
    pairs = [
        (name, each)
        for name, entry in (value or {}).items()
        for each in (entry if isinstance(entry, list) else [entry])
    ]
    return sorted(name if each is None else f"{name}={text_of(each)}" for name, each in pairs)


def _last_of_each(entries: list[str]) -> list[str]:
    return list({each.partition("=")[0]: each for each in entries}.values())


@dataclass(frozen=True, slots=True, kw_only=True)
class Pairs(Shape):
    """Labels, variables, settings: names with a text each.

    bare: a name without a value is kept as null, to be filled from the environment; else it is
    empty.  equals_needed: each entry of a list must have a value.
    """

    bare: bool = False
    equals_needed: bool = False

    def accepts(self, value: object) -> bool:
        return isinstance(value, dict | list)

    def check(self, value: Any, at: Place) -> None:
        match value:
            case dict():
                for key, entry in value.items():
                    if not is_one_of(entry, _VALUES):
                        raise (at / key).misfit("must be a boolean, null, number or string")
            case list():
                for index, entry in enumerate(value):
                    if not isinstance(entry, str):
                        raise (at / index).misfit("must be a string")
            case _:
                raise at.misfit("must be a mapping")

    def read(self, value: Any, at: Place) -> Any:
        if at.as_written:
            return Written(value) if isinstance(value, dict) else _last_of_each(value)
        if isinstance(value, dict):
            return {key: self._text(entry) for key, entry in value.items()}
        return dict(self._pair(entry, at / index) for index, entry in enumerate(value))

    def _text(self, value: Any) -> str | None:
        if value is None:
            return None if self.bare else ""
        return text_of(value)

    def _pair(self, entry: str, at: Place) -> tuple[str, str | None]:
        name, equals, value = entry.partition("=")
        if self.bare and name[-1:].isspace():
            raise at.unreadable(f"environment variable {name} is declared with a trailing space")
        if not equals and self.equals_needed:
            raise at.unreadable(f"invalid value {entry}, expected key=value")
        return name, value if equals else self._text(None)

    def merge(self, base: Any, other: Any) -> Any:
        if _is_written(base, other):
            return _last_of_each([*_entries(base), *_entries(other)])
        return {**(base or {}), **(other or {})}

    def write(self, value: Any, form: Form) -> Any:
        return {key: value[key] for key in in_order(value, natural=form is Form.YAML)}

    def omits(self, value: Any) -> bool:
        return not value


@dataclass(frozen=True, slots=True, kw_only=True)
class Options(Shape):
    """Settings of a driver: a mapping of names to texts or numbers."""

    nulls: bool = False
    untyped: bool = False

    def accepts(self, value: object) -> bool:
        return isinstance(value, dict)

    def check(self, value: Any, at: Place) -> None:
        if not isinstance(value, dict):
            raise at.misfit("must be a mapping")
        kinds = ("null", "number", "string") if self.nulls else ("number", "string")
        for key, entry in value.items():
            if not self.untyped and not is_one_of(entry, kinds):
                null = "null, number" if self.nulls else "number"
                raise (at / key).misfit(f"must be a {null} or string")

    def read(self, value: Any, at: Place) -> Any:
        if at.as_written:
            return value
        return {key: "" if entry is None else text_of(entry) for key, entry in value.items()}

    def merge(self, base: Any, other: Any) -> Any:
        return {**(base or {}), **(other or {})}

    def write(self, value: Any, form: Form) -> Any:
        return {key: value[key] for key in in_order(value, natural=form is Form.YAML)}

    def omits(self, value: Any) -> bool:
        return not value


@dataclass(frozen=True, slots=True)
class Hosts(Shape):
    """Names with one or several addresses each: a mapping, or ``name=address``, ``name:address``.

    Canonical is the mapping of names to lists; a document shows ``name=address`` in order.
    """

    def accepts(self, value: object) -> bool:
        return isinstance(value, dict | list)

    def check(self, value: Any, at: Place) -> None:
        match value:
            case dict():
                for key, entry in value.items():
                    if not isinstance(entry, str | list):
                        raise (at / key).misfit("must be a string")
            case list():
                for index, entry in enumerate(value):
                    if not isinstance(entry, str):
                        raise (at / index).misfit("must be a string")
            case _:
                raise at.misfit("must be a mapping")

    def read(self, value: Any, at: Place) -> Any:
        if at.as_written:
            return Written(value) if isinstance(value, dict) else value
        if isinstance(value, dict):
            pairs = [
                (name, address)
                for name, entry in value.items()
                for address in (entry if isinstance(entry, list) else [entry])
            ]
        else:
            pairs = [pair for entry in value for pair in _host_pairs(entry, at)]
        hosts: dict[str, list[str]] = {}
        for name, address in pairs:
            if not name or set(name) & set(":="):
                raise at.unreadable(f"bad host name '{name}'")
            hosts.setdefault(name, []).append(_without_brackets(address))
        return hosts

    def merge(self, base: Any, other: Any) -> Any:
        if _is_written(base, other):
            known_entries = _entries(base)
            return [
                *known_entries,
                *(each for each in _entries(other) if each not in known_entries),
            ]
        merged = {name: list(addresses) for name, addresses in (base or {}).items()}
        for name, addresses in (other or {}).items():
            known = merged.setdefault(name, [])
            known += [address for address in addresses if address not in known]
        return merged

    def write(self, value: Any, form: Form) -> Any:
        return sorted(f"{name}={address}" for name, each in value.items() for address in each)

    def omits(self, value: Any) -> bool:
        return not value


def _host_pairs(entry: str, at: Place) -> list[tuple[str, str]]:
    for separator in "=:":
        name, found, addresses = entry.partition(separator)
        if found:
            return [(name, address) for address in addresses.split(",")]
    raise at.unreadable(f"invalid additional host, missing IP: {entry}")


def _without_brackets(address: str) -> str:
    return address[1:-1] if address.startswith("[") and address.endswith("]") else address
