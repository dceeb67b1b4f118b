"""Legacy links on the default bridge (``--link``): names in /etc/hosts, variables. Pure.

Source: Docker's manual, "Legacy container links".
"""

from collections.abc import Collection, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Final, Self

from knarr import network
from knarr.container.model import Container
from knarr.container.registry import ContainerRegistry
from knarr.errors import InvalidArgument, NotFound
from knarr.ids import ContainerId, short
from knarr.network.requests import container_port

_NOT_PASSED_ON: Final = ("HOME", "PATH", "HOSTNAME")


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """A wish: ``target`` (name or ID) under the name ``alias``."""

    target: str
    alias: str

    @classmethod
    def parse(cls, text: str) -> Self:
        """``NAME``, ``NAME:ALIAS``, and ``/NAME:/OWN/ALIAS`` as inspect shows it."""
        target, _, alias = text.partition(":")
        target = target.removeprefix("/")
        alias = (alias or target).rpartition("/")[2]
        if not target or not alias:
            raise InvalidArgument(f"bad format for links: {text}")
        return cls(target=target, alias=alias)

    def renamed(self, old: str, new: str) -> str:
        """As a configuration has it, once the container ``old`` is called ``new``."""
        return f"{new if self.target == old else self.target}:{self.alias}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Linked:
    """A link to a running container with its address on the default bridge."""

    alias: str
    container: Container
    address: str

    @property
    def names(self) -> tuple[str, ...]:
        """By which /etc/hosts knows it."""
        config = self.container.record.config
        return (self.alias, config.hostname or short(self.container.id), self.container.name)


def opened(linking: Container, linked: Sequence[Linked]) -> list[network.Link]:
    """What it may reach where containers are kept apart: the ports that the linked ones expose."""
    return [
        network.Link(
            container=linking.id,
            target=each.container.id,
            ports=tuple(map(container_port, each.container.record.config.exposed_ports or {})),
        )
        for each in linked
    ]


def running_links(
    registry: ContainerRegistry, running: Collection[ContainerId]
) -> list[network.Link]:
    """Those of all containers that run, as their next start would find them."""
    links: list[network.Link] = []
    for each in registry:
        if each.id in running:
            found = _targets(registry, each)
            links += opened(each, [Linked(alias="", container=it, address="") for it in found])
    return links


def linkers(registry: ContainerRegistry, target: Container) -> list[Container]:
    """The running containers that are linked to it."""
    return [each for each in registry if each.alive and target in _targets(registry, each)]


def linking_by_name(registry: ContainerRegistry, name: str) -> list[ContainerId]:
    """Those whose links name a container so."""
    return [
        each.id
        for each in registry
        if any(Link.parse(text).target == name for text in each.record.host.links)
    ]


def _targets(registry: ContainerRegistry, linking: Container) -> Iterator[Container]:
    """Those that are there."""
    for text in linking.record.host.links:
        with suppress(NotFound, InvalidArgument):
            yield registry.find(Link.parse(text).target)


def link_environment(owner: str, linked: Sequence[Linked]) -> tuple[str, ...]:
    """The variables of all links of the container named ``owner``."""
    return tuple(entry for each in linked for entry in _variables(owner, each))


def _variables(owner: str, linked: Linked) -> list[str]:
    prefix = linked.alias.replace("-", "_").upper()
    config = linked.container.record.config
    ports = sorted(container_port(key) for key in config.exposed_ports or {})
    entries: list[str] = []
    for number, (port, protocol) in enumerate(ports):
        where = f"{protocol}://{linked.address}:{port}"
        if number == 0:
            entries.append(f"{prefix}_PORT={where}")
        name = f"{prefix}_PORT_{port}_{protocol.upper()}"
        entries += [
            f"{name}={where}",
            f"{name}_ADDR={linked.address}",
            f"{name}_PORT={port}",
            f"{name}_PROTO={protocol}",
        ]
    entries.append(f"{prefix}_NAME=/{owner}/{linked.alias}")
    passed_on = (entry for entry in config.env if entry.partition("=")[0] not in _NOT_PASSED_ON)
    return [*entries, *(f"{prefix}_ENV_{entry}" for entry in passed_on)]
