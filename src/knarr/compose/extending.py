"""``extends``: a service as a variation of another, of the same file or of one elsewhere."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from knarr.compose.document import Document
from knarr.compose.model import service_shape
from knarr.compose.origin import ComposeFileError
from knarr.compose.shape.path import joined
from knarr.compose.tree import without
from knarr.errors import NotFound


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """Where a set of files stands: the project's own, or that of an include."""

    directory: str
    environment: Mapping[str, str]
    included: tuple[str, ...] = ()  # the files on the way here


class Bases(Protocol):
    """Who can read the files that services extend."""

    def base_files(self, path: str, setting: Setting) -> list["BaseFile"]: ...

    def read_base(self, base: "BaseFile", name: str, setting: Setting) -> dict[str, Any]: ...


@dataclass(frozen=True, slots=True)
class BaseFile:
    document: Document
    services: dict[str, Any] | None


class Extending:
    """The services of one document, each laid over what it extends."""

    def __init__(
        self, loader: Bases, document: Document, setting: Setting, services: dict[str, Any]
    ) -> None:
        self._loader = loader
        self._document = document
        self._setting = setting
        self._services = services
        self._done: dict[str, dict[str, Any]] = {}

    def service(self, name: str, way: tuple[tuple[str, str], ...] = ()) -> dict[str, Any]:
        if name not in self._done:
            service = self._services[name]
            extends = service.get("extends")
            self._done[name] = service if extends is None else self._laid(name, extends, way)
        return self._done[name]

    def _laid(
        self, name: str, extends: dict[str, Any], way: tuple[tuple[str, str], ...]
    ) -> dict[str, Any]:
        service, file = extends.get("service"), extends.get("file")
        if service is None:
            raise self._error(name, f"extends.{name}.service is required")
        here = (self._document.file, name)
        if here in way:
            raise self._error(name, _circle((*way, here)))
        way = (*way, here)
        base = (
            self._from_file(name, service, file, way) if file else self._local(name, service, way)
        )
        base = (
            without({"services": {name: base}}, self._document.replaced)
            .get("services", {})
            .get(name, {})
        )
        merged: dict[str, Any] = service_shape().merge(base, self._services[name])
        return {key: value for key, value in merged.items() if key != "extends"}

    def _local(self, name: str, service: str, way: tuple[tuple[str, str], ...]) -> dict[str, Any]:
        if service not in self._services:
            raise self._error(
                name,
                f'cannot extend service "{name}" in {self._document.file}: '
                f'service "{service}" not found',
            )
        return self.service(service, way)

    def _from_file(
        self, name: str, service: str, file: str, way: tuple[tuple[str, str], ...]
    ) -> dict[str, Any]:
        path = joined(self._setting.directory, file)
        try:
            bases = self._loader.base_files(path, self._setting)
        except NotFound as error:
            raise self._error(name, str(error)) from error
        if all(base.services is None for base in bases):
            raise self._error(
                name, f'cannot extend service "{name}" in {path}: no services section'
            )
        found: dict[str, Any] | None = None
        for base in bases:
            if service in (base.services or {}):
                lazily = _LazyServices(self._loader, base, self._setting)
                other = Extending(self._loader, base.document, self._setting, lazily)
                read = other.service(service, way)
                found = read if found is None else service_shape().merge(found, read)
        if found is None:
            raise self._error(
                name,
                f'cannot extend service "{name}" in {self._document.file}: '
                f'service "{service}" not found in {file}',
            )
        return found

    def _error(self, name: str, complaint: str) -> ComposeFileError:
        return ComposeFileError(complaint, self._document.origin(("services", name, "extends")))


class _LazyServices(dict[str, Any]):
    """Services of another file, read when asked for: the rest of it need not be right."""

    def __init__(self, loader: Bases, base: BaseFile, setting: Setting) -> None:
        super().__init__(base.services or {})
        self._loader = loader
        self._base = base
        self._setting = setting

    def __getitem__(self, name: str) -> dict[str, Any]:
        return self._loader.read_base(self._base, name, self._setting)


def _circle(way: tuple[tuple[str, str], ...]) -> str:
    lines = [f"{service} in {file}" for file, service in way]
    return "Circular reference:\n  " + "\n  extends ".join(lines)
