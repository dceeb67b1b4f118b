"""Namespaces that a container shares: ``host``, ``service:NAME``, ``container:NAME``."""

from typing import Final

from knarr.compose.attribute import Scene

SERVICE: Final = "service:"
CONTAINER: Final = "container:"
ATTRIBUTES: Final = ("network_mode", "ipc", "pid", "uts", "cgroup")


def service_in(mode: str) -> str | None:
    """The service that a mode names, if it names one."""
    return mode.removeprefix(SERVICE) if mode.startswith(SERVICE) else None


def resolved(mode: str, scene: Scene) -> str:
    """The mode in the engine's words: a service becomes its container."""
    service = service_in(mode)
    if service is None or service not in scene.containers:
        return mode
    return CONTAINER + scene.containers[service]
