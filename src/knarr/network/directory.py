"""Names on networks: which addresses a name has for whom, and which name an address has. Pure.

Every container sees the names of the networks that it is on, and its own links; nothing else.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from ipaddress import ip_address

from knarr.ids import ContainerId, EndpointId, NetworkId
from knarr.network.model import Address, Endpoint, Network
from knarr.network.sharing import Turn, first_in_turn


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """What one container may know: its own endpoints, with their networks' names."""

    endpoints: Sequence[Endpoint]
    networks: dict[NetworkId, Network]

    @property
    def may_ask_outside(self) -> bool:
        """Not where all its networks are internal: a name is a way out, too."""
        return any(not network.internal for network in self.networks.values())


class Directory:
    """All names, by network. Kept in step with the registry, one endpoint at a time."""

    def __init__(self) -> None:
        self._names: dict[NetworkId, dict[str, dict[EndpointId, Endpoint]]] = defaultdict(dict)
        self._addresses: dict[NetworkId, dict[Address, Endpoint]] = defaultdict(dict)
        self._turns: dict[ContainerId, Turn] = {}  # of all others: ready

    def add(self, endpoint: Endpoint) -> None:
        names = self._names[endpoint.network]
        for name in endpoint.settings.dns_names:
            names.setdefault(name.lower(), {})[endpoint.id] = endpoint
        for text in endpoint.addresses:
            self._addresses[endpoint.network][ip_address(text)] = endpoint

    def discard(self, endpoint: Endpoint) -> None:
        names = self._names[endpoint.network]
        for name in endpoint.settings.dns_names:
            holders = names.get(name.lower(), {})
            holders.pop(endpoint.id, None)
            if not holders:
                names.pop(name.lower(), None)
        for text in endpoint.addresses:
            self._addresses[endpoint.network].pop(ip_address(text), None)

    def forget(self, network: NetworkId) -> None:
        """The network is gone, and nobody was on it."""
        self._names.pop(network, None)
        self._addresses.pop(network, None)

    def mark(self, container: ContainerId, turn: Turn) -> None:
        """Whether names that others have as well lead to it. One that is draining does not come
        back by being ready: only ``WAITING`` takes that back."""
        if not (turn is Turn.READY and self._turns.get(container) is Turn.DRAINING):
            self._turns[container] = turn

    def unmark(self, container: ContainerId) -> None:
        """It runs no more."""
        self._turns.pop(container, None)

    def turns(self) -> dict[ContainerId, Turn]:
        """Of those that ever were told to wait, or to drain."""
        return dict(self._turns)

    def meets_others(self, endpoint: Endpoint) -> bool:
        """Whether another container has one of its names."""
        return any(len(holders) > 1 for holders in self._holders(endpoint))

    def is_relieved(self, endpoint: Endpoint) -> bool:
        """Whether a name of its leads to others instead."""
        return any(endpoint not in self._in_turn(each) for each in self._holders(endpoint))

    def _holders(self, endpoint: Endpoint) -> Iterable[Sequence[Endpoint]]:
        names = self._names[endpoint.network]
        for name in endpoint.settings.dns_names:
            yield list(names.get(name.lower(), {}).values())

    def _in_turn(self, endpoints: Sequence[Endpoint]) -> Sequence[Endpoint]:
        """Those that a name leads to, of all that have it."""
        return first_in_turn(endpoints, lambda each: self._turns.get(each.container, Turn.READY))

    def addresses(self, view: View, name: str) -> list[Address] | None:
        """All addresses of ``name`` as seen from ``view``; None when nobody has that name.

        Understands ``NAME``, ``NAME.NETWORK`` and the aliases of links. A container's own networks
        are asked in their order; the first on which the name is known answers. Of several that
        have the name those count whose turn it is.
        """
        wanted = name.lower().rstrip(".")
        for own in view.endpoints:
            network = view.networks[own.network]
            for each in self._spellings(wanted, own, network):
                if holders := self._names[own.network].get(each):
                    return _addresses(self._in_turn(list(holders.values())))
        return None

    def _spellings(self, wanted: str, own: Endpoint, network: Network) -> Iterable[str]:
        """``wanted`` may be an alias of a link, the name itself, or qualified by the network."""
        for link in own.settings.links:
            target, _, alias = link.partition(":")
            if wanted == (alias or target).lower():
                yield target.lower()
        yield wanted
        suffix = f".{network.name.lower()}"
        if wanted.endswith(suffix):
            yield wanted.removesuffix(suffix)

    def name_of(self, view: View, address: Address) -> str:
        """``NAME.NETWORK`` of an address on one of the container's networks; else empty."""
        for own in view.endpoints:
            if endpoint := self._addresses[own.network].get(address):
                return f"{endpoint.container_name}.{view.networks[own.network].name}"
        return ""


def _addresses(endpoints: Iterable[Endpoint]) -> list[Address]:
    return [ip_address(text) for endpoint in endpoints for text in endpoint.addresses]
