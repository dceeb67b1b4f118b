"""What is loaded when somebody first asks for it, so that an idle engine stays small.

docs/decisions/idle-memory.md says which rooms these are.
"""

import sys
from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Generic, TypeVar

T = TypeVar("T")


class Later(Generic[T]):
    """Something that is built when it is first called for; its room is imported by ``build``."""

    __slots__ = ("_build", "made")

    def __init__(self, build: Callable[[], T]) -> None:
        self._build = build
        self.made: T | None = None

    def __call__(self) -> T:
        if self.made is None:
            self.made = self._build()
        return self.made


def door(package: str, places: Mapping[str, str]) -> Callable[[str], object]:
    """A package's ``__getattr__`` (PEP 562), of the names that each of its files has.

    A name is imported from its file when it is first asked for, and by then a plain attribute:
    ``{"pull": "Found Puller"}``.
    """
    files = {name: file for file, names in places.items() for name in names.split()}

    def getattr_(name: str) -> object:
        if name not in files:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        found = getattr(import_module(f"{package}.{files[name]}"), name)
        setattr(sys.modules[package], name, found)
        return found

    return getattr_
