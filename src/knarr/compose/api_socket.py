"""``use_api_socket``: the engine's socket and the user's credentials, inside a container."""

from dataclasses import replace
from typing import Any, Final

from knarr.compose.project import Project, Service

_CONFIG: Final = "#apisocket"
_INSIDE: Final = "/var/run/docker.sock"
_FOLDER: Final = "/run/secrets/docker"


def wants_api_socket(project: Project) -> bool:
    return any(service.get("use_api_socket") for service in project.services.values())


def with_api_socket(project: Project, *, socket: str, configuration: str) -> Project:
    """The project whose services say the same in volumes and configs.

    socket: the engine's, on its host.  configuration: the text of a config.json.
    """
    return replace(
        project,
        configs={**project.configs, _CONFIG: {"content": configuration}},
        services={
            name: _given(service, socket) if service.get("use_api_socket") else service
            for name, service in project.services.items()
        },
    )


def _given(service: Service, socket: str) -> Service:
    mount = {"type": "bind", "source": socket, "target": _INSIDE}
    config = {"source": _CONFIG, "target": f"{_FOLDER}/config.json"}
    environment: dict[str, Any] = {"DOCKER_CONFIG": _FOLDER, **service.get("environment", {})}
    return service.with_values(
        volumes=[*service.get("volumes", []), mount],
        configs=[*service.get("configs", []), config],
        environment=environment,
    )
