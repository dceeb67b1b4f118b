"""``run``: a service as its one-off container has it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from knarr.compose.attribute import Attribute
from knarr.compose.attributes.ports import PORTS
from knarr.compose.attributes.volumes import VOLUMES
from knarr.compose.project import Service
from knarr.compose.shape import Base, Place


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOptions:
    """What ``run`` says over the service.

    entrypoint: None leaves the service's.  ports, volumes: in the short spelling.
    directory: that relative paths count from.
    """

    command: tuple[str, ...] = ()
    entrypoint: tuple[str, ...] | None = None
    tty: bool = False
    interactive: bool = True
    user: str = ""
    working_dir: str = ""
    environment: Mapping[str, str] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)
    cap_add: tuple[str, ...] = ()
    cap_drop: tuple[str, ...] = ()
    volumes: tuple[str, ...] = ()
    ports: tuple[str, ...] = ()
    service_ports: bool = False
    directory: str = "/"


def one_off(service: Service, options: RunOptions) -> Service:
    """Raises InvalidArgument for a port or a volume that cannot be read."""
    changes: dict[str, Any] = {
        "tty": options.tty,
        "stdin_open": options.interactive,
        "scale": 1,
        "restart": "",
    }
    if options.command:
        changes["command"] = list(options.command)
    if options.entrypoint is not None:
        changes["entrypoint"] = list(options.entrypoint)
        changes.setdefault("command", [])
    if options.user:
        changes["user"] = options.user
    if options.working_dir:
        changes["working_dir"] = options.working_dir
    changes |= _capabilities(service, options)
    for name in ("environment", "labels"):
        if more := getattr(options, name):
            changes[name] = {**service.get(name, {}), **more}
    if not options.service_ports:
        changes["ports"] = _read(PORTS, options.ports, "--publish", options.directory)
    if options.volumes:
        more = _read(VOLUMES, options.volumes, "--volume", options.directory)
        changes["volumes"] = [*service.get("volumes", []), *more]
    if deploy := service.get("deploy"):
        changes["deploy"] = {k: v for k, v in deploy.items() if k != "restart_policy"}
    return service.with_values(**changes)


def _capabilities(service: Service, options: RunOptions) -> dict[str, Any]:
    """What is added here is no longer dropped, and the other way round."""
    changes: dict[str, Any] = {}
    added, dropped = service.get("cap_add", []), service.get("cap_drop", [])
    if options.cap_add:
        added = [*added, *options.cap_add]
        dropped = _without(dropped, options.cap_add)
    if options.cap_drop:
        dropped = [*dropped, *options.cap_drop]
        added = _without(added, options.cap_drop)
    if options.cap_add or options.cap_drop:
        changes = {"cap_add": added, "cap_drop": dropped}
    return changes


def _without(values: Iterable[str], others: Iterable[str]) -> list[str]:
    return [each for each in values if each not in set(others)]


def _read(attribute: Attribute, entries: Iterable[str], flag: str, directory: str) -> list[Any]:
    place = Place((flag,))
    read = attribute.shape.read(list(entries), place)
    completed = attribute.shape.complete(read, place)
    located: list[Any] = attribute.shape.locate(completed, Base(directory=directory))
    return located
