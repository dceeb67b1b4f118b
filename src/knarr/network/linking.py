"""Legacy links: who reaches whom on a bridge that keeps its containers apart. Pure.

On a default bridge whose containers are kept apart, a container that is linked to another reaches
the ports which that one exposes, and nothing else of it. Answers pass as those of any connection.

Source: Docker's manual, "Legacy container links"; dockerd, ``--icc``.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address

from knarr.ids import ContainerId
from knarr.network.plan import Entry, is_isolated, linked_entry
from knarr.network.registry import NetworkRegistry


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """``container`` may reach ``ports`` of ``target``: (80, "tcp"), …"""

    container: ContainerId
    target: ContainerId
    ports: tuple[tuple[int, str], ...]


class Links:
    """The links of the containers that run. Which addresses they mean, the registry knows."""

    def __init__(self, registry: NetworkRegistry) -> None:
        self._registry = registry
        self._links: dict[ContainerId, tuple[Link, ...]] = {}

    def put(self, links: Iterable[Link]) -> None:
        for link in links:
            self._links[link.container] = (*self._links.get(link.container, ()), link)

    def forget(self, container: ContainerId) -> None:
        """It ended. Links of others to it stay: it may start again, at another address."""
        self._links.pop(container, None)

    def entries(self, about: ContainerId | None = None) -> list[Entry]:
        """What the ruleset has to hold; with ``about`` what of it a container has part in."""
        if not is_isolated(self._registry.default_bridge):
            return []
        entries: list[Entry] = []
        for link in self._all():
            if about in {None, link.container, link.target}:
                entries += self._entries(link)
        return list(dict.fromkeys(entries))

    def _all(self) -> Sequence[Link]:
        return [link for links in self._links.values() for link in links]

    def _entries(self, link: Link) -> list[Entry]:
        """None as long as one of the two is not on the default bridge."""
        source, target = self._address(link.container), self._address(link.target)
        if source is None or target is None:
            return []
        return [linked_entry(source, target, port, protocol) for port, protocol in link.ports]

    def _address(self, container: ContainerId) -> IPv4Address | None:
        endpoint = self._registry.find(container, self._registry.default_bridge.id)
        text = endpoint.settings.ip_address if endpoint else ""
        return IPv4Address(text) if text else None
