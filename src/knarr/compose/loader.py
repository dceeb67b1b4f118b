"""Compose files to a project.

Each document is expanded, checked, read to canonical form; its services extend others, its includes
bring in projects of their own; then it is laid over the documents before it. What is left out is
filled in when all are merged, and the whole is checked for what it refers to.
"""

import posixpath
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

from knarr.compose.blame import Blame
from knarr.compose.consistency import check
from knarr.compose.document import Document, documents
from knarr.compose.env_files import (
    Warn,
    env_of_files,
    silent,
    unset,
    with_env_files,
    with_label_files,
)
from knarr.compose.extending import BaseFile, Extending, Setting
from knarr.compose.files import STDIN, Files
from knarr.compose.interpolation import interpolated, substitute
from knarr.compose.model import file_shape, service_shape
from knarr.compose.naming import normal_name, refuse_bad_name
from knarr.compose.normal import normalised, with_named_content
from knarr.compose.origin import ComposeFileError
from knarr.compose.project import Project, Resource, Service
from knarr.compose.shape import Base, Place
from knarr.compose.shape.path import joined
from knarr.compose.tree import without
from knarr.errors import InvalidArgument, NotFound

_RESOURCES: Final = ("services", "volumes", "networks", "secrets", "configs", "models")
PROJECT_NAME: Final = "COMPOSE_PROJECT_NAME"


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What to load, and how far to go with it."""

    files: tuple[str, ...]  # absolute paths, or - for standard input
    directory: str  # absolute; what relative paths count from
    environment: Mapping[str, str] = field(default_factory=dict)
    name: str = ""  # given by flag or variable; the files' own name counts only without it
    default_name: str = ""  # when the files have none either
    profiles: tuple[str, ...] = ()
    home: str = ""
    interpolate: bool = True
    normalise: bool = True
    resolve_paths: bool = True
    check_consistency: bool = True
    resolve_environment: bool = True


def load(request: Request, files: Files, warn: Warn = silent) -> Project:
    """The project that the files describe, its profiles applied.

    Raises ComposeFileError with file and line for what is wrong in them, NotFound for a missing
    one.
    """
    name = _name(request, files, warn)
    environment = {**request.environment, PROJECT_NAME: name}
    request = replace(request, environment=environment)
    loader = _Loader(request, files, warn)
    tree = loader.whole(name)
    project = _project(tree, request, name, Blame(loader.documents))
    project = project.with_profiles(request.profiles)
    if request.check_consistency:
        check(project)
    if request.resolve_environment:
        project = with_env_files(project, files, warn)
    return with_label_files(project, files)


def load_tree(request: Request, files: Files, warn: Warn = silent) -> dict[str, Any]:
    """The merged files as one tree, whatever their profiles.

    Values have their canonical form when variables are expanded; else they are as somebody wrote
    them, but for what has a long spelling.
    """
    name = _name(request, files, warn)
    environment = {**request.environment, PROJECT_NAME: name}
    loader = _Loader(replace(request, environment=environment), files, warn)
    loader.reads_at = replace(loader.reads_at, as_written=not request.interpolate)
    return loader.whole(name)


def _name(request: Request, files: Files, warn: Warn) -> str:
    """The project's name: given, else the last that a file has, else the default."""
    if request.name:
        refuse_bad_name(request.name)
        return request.name
    written = ""
    for path in request.files:
        for document in documents(files.read(path), path) if path != STDIN else ():
            if isinstance(document.root, dict) and document.root.get("name"):
                written = str(document.root["name"])
    if written and request.interpolate:
        written = substitute(written, request.environment, lambda each: warn(unset(each)))
    return (normal_name(written) if request.normalise else written) or request.default_name


def _project(tree: dict[str, Any], request: Request, name: str, blame: Blame) -> Project:
    services = {
        key: Service(name=key, values=each) for key, each in tree.get("services", {}).items()
    }

    def declared(kind: str) -> dict[str, Resource]:
        return {key: each or {} for key, each in tree.get(kind, {}).items()}

    return Project(
        name=name,
        directory=request.directory,
        files=request.files,
        environment=request.environment,
        services=services,
        networks=declared("networks"),
        volumes=declared("volumes"),
        secrets=declared("secrets"),
        configs=declared("configs"),
        models=declared("models"),
        extensions={key: each for key, each in tree.items() if key.startswith("x-")},
        blame=blame,
    )


class _Loader:
    """Reads and merges sets of files, the project's own and those it includes."""

    def __init__(self, request: Request, files: Files, warn: Warn) -> None:
        self._request = request
        self._files = files
        self._warn = warn
        self._at = Place(templates=not request.interpolate)
        self.reads_at = self._at
        self._shape = file_shape()
        self.documents: list[Document] = []  # all that were read, those of includes too

    def whole(self, name: str) -> dict[str, Any]:
        """The request's files as one tree; ``name`` is the project's."""
        request = self._request
        if not request.files:
            raise NotFound("no configuration file provided: not found")
        setting = Setting(directory=request.directory, environment=request.environment)
        tree = self.tree(request.files, setting)
        if not tree:
            raise InvalidArgument("empty compose file")
        if not name:
            raise InvalidArgument("project name must not be empty")
        if not request.normalise:
            return tree
        known = {} if self.reads_at.as_written else request.environment
        return normalised(tree, known, name)

    def tree(self, paths: tuple[str, ...], setting: Setting) -> dict[str, Any]:
        """The files of one set, merged, filled in and with their paths resolved."""
        merged: dict[str, Any] = {}
        read: list[Document] = []
        for path in paths:
            for document in documents(self._text(path), path):
                merged = self._over(merged, document, setting)
                read.append(document)
        self.documents += read
        with Blame(read):
            merged = self._shape.complete(merged, self._at)
        if self._request.resolve_paths or setting.included:
            base = self._base(setting.directory, self._request.directory)
            merged = self._shape.locate(merged, base)
        if self.reads_at.as_written:
            return merged
        return with_named_content(merged, setting.environment)

    def _text(self, path: str) -> str:
        return self._files.read(path)

    def _base(self, directory: str, start: str) -> Base:
        """start: what paths count from where they stay relative."""
        if not self._request.resolve_paths:
            directory = posixpath.relpath(directory, start)
        return Base(directory=directory, home=self._request.home, real_path=self._files.real_path)

    def _over(self, merged: dict[str, Any], document: Document, setting: Setting) -> dict[str, Any]:
        tree = self._read(document, setting)
        if "version" in tree:
            self._warn(
                f"{document.file}: the attribute `version` is obsolete, it will be ignored, "
                "please remove it to avoid potential confusion"
            )
        tree.pop("version", None)
        services = tree.get("services", {})
        extending = Extending(self, document, setting, services)
        extended = {name: extending.service(name) for name in services}
        tree = {**tree, "services": extended} if "services" in tree else tree
        includes = tree.pop("include", [])
        below = replace(setting, included=(*setting.included, document.file))
        tree = self._include(tree, includes, below, document)
        result: dict[str, Any] = self._shape.merge(without(merged, document.replaced), tree)
        return result

    def _read(self, document: Document, setting: Setting) -> dict[str, Any]:
        raw = self.expanded(document, setting)
        if not isinstance(raw, dict):
            raise ComposeFileError("top-level object must be a mapping", document.origin(()))
        with Blame([document]):
            self._shape.check(raw, self._at)
            read: dict[str, Any] = self._shape.read(raw, self.reads_at)
        return read

    def expanded(self, document: Document, setting: Setting) -> Any:
        if not self._request.interpolate:
            return document.root
        return interpolated(document, setting.environment, lambda name: self._warn(unset(name)))

    def base_files(self, path: str, setting: Setting) -> list[BaseFile]:
        """The documents of a file that services extend, each with its raw services."""
        found = []
        for document in documents(self._text(path), path):
            raw = self.expanded(document, setting)
            services = raw.get("services") if isinstance(raw, dict) else None
            found.append(BaseFile(document, services if isinstance(services, dict) else None))
        return found

    def read_base(self, base: BaseFile, name: str, setting: Setting) -> dict[str, Any]:
        """A service of another file, its paths counted from there."""
        at = self._at / "services" / name
        shape = service_shape()
        raw = (base.services or {})[name]
        with Blame([base.document]):
            shape.check(raw, at)
            service = shape.read(raw, self.reads_at / "services" / name)
        directory = posixpath.dirname(base.document.file)
        here = self._base(directory, setting.directory)
        located: dict[str, Any] = shape.locate(service, here)
        return located

    def _include(
        self, tree: dict[str, Any], includes: list[Any], setting: Setting, document: Document
    ) -> dict[str, Any]:
        for index, include in enumerate(includes):
            try:
                other = self._included(include, setting)
                tree = _imported(other, tree)
            except InvalidArgument as error:
                if isinstance(error, ComposeFileError):
                    raise
                raise ComposeFileError(
                    str(error), document.origin(("include", str(index)))
                ) from error
        return tree

    def _included(self, include: dict[str, Any], setting: Setting) -> dict[str, Any]:
        paths = tuple(joined(setting.directory, path) for path in include["path"])
        if paths[0] in setting.included:
            way = "\n include ".join((*setting.included, paths[0]))
            raise InvalidArgument(f"include cycle detected:\n{way}")
        directory = posixpath.dirname(paths[0])
        if "project_directory" in include:
            directory = joined(setting.directory, include["project_directory"])
        environment = self._include_environment(include, directory, setting)
        inner = replace(setting, directory=directory, environment=environment)
        return self.tree(paths, inner)

    def _include_environment(
        self, include: dict[str, Any], directory: str, setting: Setting
    ) -> Mapping[str, str]:
        default = joined(directory, ".env")
        paths = [joined(setting.directory, path) for path in include.get("env_file", [])]
        if not paths and self._files.is_file(default):
            paths = [default]
        return {
            **env_of_files(paths, setting.environment, self._files, self._warn),
            **setting.environment,
        }


def _imported(other: dict[str, Any], tree: dict[str, Any]) -> dict[str, Any]:
    """A tree with the resources of another; what both declare must be the same."""
    result = dict(tree)
    for kind in _RESOURCES:
        theirs, ours = other.get(kind), tree.get(kind) or {}
        for name in (theirs or {}).keys() & ours.keys():
            if theirs and theirs[name] != ours[name]:
                raise InvalidArgument(f"{kind}.{name} conflicts with imported resource")
        if theirs is not None:
            result[kind] = {**theirs, **ours}
    return result
