"""From the command line and the environment to what shall be loaded.

The files: ``-f``, else COMPOSE_FILE, else a file of a known name here or in a directory above, with
its override beside it. The variables: the environment, then ``--env-file``, else ``.env``.
"""

import posixpath
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from knarr.compose.env_files import Warn, env_of_files, silent
from knarr.compose.files import STDIN, Files
from knarr.compose.loader import PROJECT_NAME, Request
from knarr.compose.naming import normal_name
from knarr.compose.shape.path import joined
from knarr.errors import NotFound

FILE_NAMES: Final = ("compose.yaml", "compose.yml", "docker-compose.yml", "docker-compose.yaml")
OVERRIDE_NAMES: Final = (
    "compose.override.yml",
    "compose.override.yaml",
    "docker-compose.override.yml",
    "docker-compose.override.yaml",
)
_TRUE: Final = frozenset(("1", "t", "true"))


@dataclass(frozen=True, slots=True, kw_only=True)
class ProjectOptions:
    """What the flags of ``compose`` say; paths as they were typed."""

    files: tuple[str, ...] = ()
    name: str = ""
    profiles: tuple[str, ...] = ()
    env_files: tuple[str, ...] = ()
    directory: str = ""
    compatibility: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What shall be loaded, and what labels have to say about where it came from."""

    request: Request
    env_files: tuple[str, ...] = ()  # those that were named
    separator: str = "-"  # between the parts of a container's name


@dataclass(slots=True)
class _Search:
    options: ProjectOptions
    here: str
    files: Files
    warn: Warn
    environment: dict[str, str]
    paths: list[str] = field(default_factory=list)

    def run(self) -> None:
        self._add_variables()
        if not self.paths:
            self._add_paths_of_variable()
        if not self.paths:
            self._add_default_paths()
        self._add_variables()  # of a directory that is only known now

    def directory(self) -> str:
        """The project's: given, or that of the first file, or the current one."""
        if self.options.directory:
            return joined(self.here, self.options.directory)
        named = [path for path in self.paths if path != STDIN]
        return posixpath.dirname(joined(self.here, named[0])) if named else self.here

    def _add_variables(self) -> None:
        paths = [joined(self.here, path) for path in self.options.env_files]
        default = joined(self.directory(), ".env")
        if not paths and not self._no_default() and self.files.is_file(default):
            paths = [default]
        found = env_of_files(paths, self.environment, self.files, self.warn)
        self.environment = {**found, **self.environment}

    def _no_default(self) -> bool:
        return is_true(self.environment.get("COMPOSE_DISABLE_ENV_FILE", ""))

    def _add_paths_of_variable(self) -> None:
        value = self.environment.get("COMPOSE_FILE")
        if value is None:
            return
        separator = self.environment.get("COMPOSE_PATH_SEPARATOR") or ":"
        self.paths = [
            path if path == STDIN else joined(self.here, path) for path in value.split(separator)
        ]
        for path in self.paths:
            if path != STDIN and not self.files.is_file(path):
                raise NotFound(f"stat {path}: no such file or directory")

    def _add_default_paths(self) -> None:
        directory = self.directory()
        while not (found := self._existing(FILE_NAMES, directory)):
            if directory == "/":
                return
            directory = posixpath.dirname(directory)
        self._warn_of_several(found, "config files")
        self.paths = [found[0]]
        overrides = self._existing(OVERRIDE_NAMES, directory)
        if overrides:
            self._warn_of_several(overrides, "override files")
            self.paths.append(overrides[0])

    def _existing(self, names: tuple[str, ...], directory: str) -> list[str]:
        return [path for name in names if self.files.is_file(path := joined(directory, name))]

    def _warn_of_several(self, found: list[str], what: str) -> None:
        if len(found) > 1:
            self.warn(f"Found multiple {what} with supported names: {', '.join(found)}")
            self.warn(f"Using {found[0]}")


def find(
    options: ProjectOptions,
    environment: Mapping[str, str],
    here: str,
    files: Files,
    warn: Warn = silent,
) -> Found:
    """What to load. here: the current directory, absolute.

    Raises NotFound for an env file that is not there. The loader refuses a bad name.
    """
    env_files = options.env_files or _split(environment.get("COMPOSE_ENV_FILES", ""))
    search = _Search(
        options=replace(options, env_files=env_files),
        here=here,
        files=files,
        warn=warn,
        environment={"PWD": here, **environment},
        paths=[path if path == STDIN else joined(here, path) for path in options.files],
    )
    search.run()
    variables = search.environment
    directory = search.directory()
    compatible = options.compatibility or is_true(variables.get("COMPOSE_COMPATIBILITY", ""))
    profiles = variables.get("COMPOSE_PROFILES", "").split(",")
    return Found(
        request=Request(
            files=tuple(search.paths),
            directory=directory,
            environment=variables,
            name=options.name or variables.get(PROJECT_NAME, ""),
            default_name=normal_name(posixpath.basename(directory)),
            profiles=options.profiles or tuple(profile.strip() for profile in profiles),
            home=variables.get("HOME", ""),
        ),
        env_files=env_files,
        separator="_" if compatible else "-",
    )


def _split(text: str) -> tuple[str, ...]:
    return tuple(part for part in text.split(",") if part)


def is_true(text: str) -> bool:
    return text.strip().lower() in _TRUE
