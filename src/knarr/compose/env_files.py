"""Variables and labels that come from files beside the compose files."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from knarr.compose import dotenv
from knarr.compose.files import Files
from knarr.compose.project import Project, Service
from knarr.compose.shape import ShapeError
from knarr.errors import InvalidArgument, KnarrError, NotFound

Warn = Callable[[str], None]


def silent(_: str) -> None:
    """For those who do not care for warnings."""


def unset(variable: str) -> str:
    """The warning about a variable that became blank."""
    return f'The "{variable}" variable is not set. Defaulting to a blank string.'


def env_of_files(
    paths: list[str], environment: Mapping[str, str], files: Files, warn: Warn = silent
) -> dict[str, str]:
    """The variables of env files; later files win, and see what earlier ones set."""
    variables: dict[str, str] = {}
    for path in paths:
        if files.is_directory(path):
            raise InvalidArgument(f"{path} is a directory")
        if not files.is_file(path) and path != "/dev/null":
            raise NotFound(f"couldn't find env file: {path}")
        try:
            text = files.read(path)
            found = dotenv.parse(text, environment, variables, lambda name: warn(unset(name)))
        except InvalidArgument as error:
            raise InvalidArgument(f"failed to read {path}: {error}") from error
        variables.update(found)
    return variables


def with_env_files(project: Project, files: Files, warn: Warn = silent) -> Project:
    """Each service with the variables of its env files among its environment, and without them."""
    services = {
        name: _with_env_files(service, project, files, warn)
        for name, service in project.services.items()
    }
    return replace(project, services=services)


def _with_env_files(service: Service, project: Project, files: Files, warn: Warn) -> Service:
    with project.blame:
        return _resolved(service, project, files, warn)


def _resolved(service: Service, project: Project, files: Files, warn: Warn) -> Service:
    own = {
        name: project.environment.get(name) if value is None else value
        for name, value in service.get("environment", {}).items()
    }
    scope = {name: value for name, value in own.items() if value is not None}
    variables: dict[str, str] = {}
    scope = {**scope, **project.environment}
    for index, entry in enumerate(service.get("env_file", [])):
        try:
            variables.update(_env_file(entry, scope, variables, files, warn))
        except KnarrError as error:
            path = ("services", service.name, "env_file", str(index))
            raise ShapeError(path, str(error)) from error
    environment = {**variables, **own}
    service = service.without("env_file")
    return service.with_values(environment=environment) if environment else service


def _env_file(
    entry: dict[str, Any],
    outer: Mapping[str, str],
    before: Mapping[str, str],
    files: Files,
    warn: Warn,
) -> dict[str, str]:
    path, kind = entry["path"], entry.get("format", "")
    if not files.is_file(path):
        if entry.get("required", True):
            raise NotFound(f"env file {path} not found: stat {path}: no such file or directory")
        return {}
    try:
        match kind:
            case "":
                return dotenv.parse(files.read(path), outer, before, lambda name: warn(unset(name)))
            case "raw":
                return dotenv.parse_raw(files.read(path), outer)
    except KnarrError as error:
        raise InvalidArgument(f"failed to read {path}: {error}") from error
    raise InvalidArgument(f'unsupported env_file format "{kind}"')


def with_label_files(project: Project, files: Files) -> Project:
    """Each service with the labels of its label files, its own over them."""
    services = {
        name: _with_label_files(service, project, files)
        for name, service in project.services.items()
    }
    return replace(project, services=services)


def _with_label_files(service: Service, project: Project, files: Files) -> Service:
    paths = service.get("label_file", [])
    if not paths:
        return service
    labels: dict[str, str] = {}
    for index, path in enumerate(paths):
        if not files.is_file(path):
            with project.blame:
                raise ShapeError(
                    ("services", service.name, "label_file", str(index)),
                    f"label file {path} not found: stat {path}: no such file or directory",
                )
        labels.update(dotenv.parse(files.read(path), labels))
    merged = {**labels, **service.get("labels", {})}
    return service.without("label_file").with_values(labels=merged)
