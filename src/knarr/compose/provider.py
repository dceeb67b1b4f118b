"""What is said to a provider's program, and what it answers.

Source: Compose, "Use providers" (extension.md of docker/compose): a JSON value a line.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from knarr.compose.project import Project, Service
from knarr.errors import InvalidArgument, KnarrError

ERROR: Final = "error"
INFO: Final = "info"
SETENV: Final = "setenv"
DEBUG: Final = "debug"


def arguments(
    project: str, service: Service, verb: str, metadata: Mapping[str, Any]
) -> tuple[str, ...]:
    """The words after the program's name. metadata: what it says of its parameters, if anything.

    Raises InvalidArgument where a required one is missing.
    """
    provider = service.get("provider")
    options: Mapping[str, Iterable[str]] = provider.get("options", {})
    parameters = (metadata.get(verb) or {}).get("parameters") or []
    for parameter in parameters:
        if parameter.get("required") and parameter.get("name") not in options:
            raise InvalidArgument(
                f'required parameter "{parameter.get("name")}" is missing from provider '
                f'"{provider["type"]}" definition'
            )
    known = {parameter.get("name") for parameter in parameters}
    told = bool(metadata.get("description")) or any(
        (metadata.get(each) or {}).get("parameters") is not None for each in ("up", "down")
    )
    return (
        "compose", f"--project-name={project}", verb,
        *(
            f"--{name}={value}"
            for name, values in options.items()
            if not told or name in known
            for value in values
        ),
        service.name,
    )  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """A line of the program's output."""

    kind: str
    text: str

    @classmethod
    def of(cls, value: Any) -> "Message":
        """Raises KnarrError for what is no message."""
        kind = value.get("type", "") if isinstance(value, dict) else ""
        if kind not in (ERROR, INFO, SETENV, DEBUG):
            raise KnarrError(f"invalid response from plugin: {kind}")
        return cls(kind=kind, text=str(value.get("message", "")))

    def variable(self) -> tuple[str, str]:
        name, equals, value = self.text.partition("=")
        if not equals:
            raise KnarrError(f"invalid response from plugin: {self.text}")
        return name, value


def with_variables(project: Project, name: str, variables: Mapping[str, str]) -> Project:
    """Those who depend on the service hear of them, with its name before each."""
    given = {f"{name.upper()}_{key}": value for key, value in variables.items()}
    return replace(
        project,
        services={
            other: service.with_values(environment={**service.get("environment", {}), **given})
            if given and name in service.dependencies
            else service
            for other, service in project.services.items()
        },
    )
