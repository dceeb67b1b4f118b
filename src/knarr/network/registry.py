"""Networks, their free addresses, and who is on them: in memory, always as the rows say."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from ipaddress import ip_address

from knarr.errors import Conflict, InvalidArgument, NotFound
from knarr.ids import ContainerId, EndpointId, NetworkId, is_hex_prefix, new_hex
from knarr.network.directory import Directory, View
from knarr.network.endpoints import Draft, check_request, wanted_addresses
from knarr.network.ipam import Pool
from knarr.network.model import Address, Endpoint, EndpointRequest, Network


class NetworkRegistry:
    """Nothing here waits or touches the kernel: two tasks never see a half-made change."""

    def __init__(self) -> None:
        self._networks: dict[NetworkId, Network] = {}
        self._pools: dict[NetworkId, list[Pool]] = {}
        self._on: dict[NetworkId, dict[EndpointId, Endpoint]] = {}
        self.directory = Directory()
        self._of: dict[ContainerId, dict[EndpointId, Endpoint]] = {}

    # Networks

    def __iter__(self) -> Iterator[Network]:
        return iter(list(self._networks.values()))

    def __getitem__(self, network: NetworkId) -> Network:
        return self._networks[network]

    def put(self, network: Network) -> None:
        """A new network, or a known one that nobody is on, changed."""
        self._networks[network.id] = network
        self._pools[network.id] = [Pool(subnet) for subnet in network.subnets]
        self._on.setdefault(network.id, {})

    def put_changed(self, network: Network) -> None:
        """A known one with other options: its addresses, and who is on it, stay as they are."""
        self._networks[network.id] = network

    def forget(self, network: Network) -> None:
        del self._networks[network.id], self._pools[network.id], self._on[network.id]
        self.directory.forget(network.id)

    def resolve(self, ref: str) -> Network:
        """By name, ID, or an ID's unambiguous beginning. Raises NotFound, InvalidArgument."""
        for network in self._networks.values():
            if ref in {network.name, network.id}:
                return network
        found = [each for each in self._networks.values() if ref and each.id.startswith(ref)]
        if len(found) > 1:
            raise InvalidArgument(
                f"network {ref} is ambiguous ({len(found)} matches found on ID prefix)"
            )
        if not found or not is_hex_prefix(ref):
            raise NotFound(f"network {ref} not found")
        return found[0]

    def named(self, name: str) -> Network | None:
        return next((each for each in self._networks.values() if each.name == name), None)

    @property
    def default_bridge(self) -> Network:
        return next(each for each in self._networks.values() if each.is_default_bridge)

    # Endpoints

    def add(self, endpoint: Endpoint) -> None:
        """An endpoint whose addresses are taken already, or another state of a known one."""
        self._on[endpoint.network][endpoint.id] = endpoint
        self.directory.add(endpoint)
        self._of.setdefault(endpoint.container, {})[endpoint.id] = endpoint

    def adopt(self, endpoint: Endpoint) -> None:
        """An endpoint from before this daemon's start: its addresses are taken now."""
        for text in endpoint.addresses:
            self._pool(endpoint.network, ip_address(text)).take(ip_address(text))
        self.add(endpoint)

    def discard(self, endpoint: Endpoint) -> None:
        """It is gone, its addresses are free."""
        self._on[endpoint.network].pop(endpoint.id, None)
        self.directory.discard(endpoint)
        rest = self._of.get(endpoint.container, {})
        rest.pop(endpoint.id, None)
        if not rest:
            self._of.pop(endpoint.container, None)
        self._give_back(endpoint.network, map(ip_address, endpoint.addresses))

    def on(self, network: NetworkId) -> Sequence[Endpoint]:
        return list(self._on.get(network, {}).values())

    def of(self, container: ContainerId) -> Sequence[Endpoint]:
        """In the order in which the container was put on the networks."""
        return list(self._of.get(container, {}).values())

    def endpoints(self) -> Iterable[Endpoint]:
        return [endpoint for each in self._of.values() for endpoint in each.values()]

    def find(self, container: ContainerId, network: NetworkId) -> Endpoint | None:
        of = self._of.get(container, {}).values()
        return next((each for each in of if each.network == network), None)

    def view(self, container: ContainerId) -> View:
        """What the container may know of names, as of now."""
        endpoints = self.of(container)
        networks = {each.network: self._networks[each.network] for each in endpoints}
        return View(endpoints=endpoints, networks=networks)

    # Addresses

    def draft(self, requests: Sequence[EndpointRequest]) -> Sequence[Draft]:
        """Networks looked up and addresses taken, for all of ``requests`` or for none.

        Raises NotFound, InvalidArgument, Forbidden, Conflict in Docker's words.
        """
        drafts: list[Draft] = []
        try:
            for request in requests:
                network = self.resolve(request.network)
                check_request(network, request.settings)
                id_ = EndpointId(new_hex())
                draft = Draft(id=id_, network=network, request=request, addresses=())
                drafts.append(replace(draft, addresses=self._take(network, request)))
        except BaseException:
            for draft in drafts:
                self._give_back(draft.network.id, draft.addresses)
            raise
        return drafts

    def _take(self, network: Network, request: EndpointRequest) -> tuple[Address, ...]:
        """One of each family that the network has: those wished for, or any."""
        wished = {each.version: each for each in wanted_addresses(request.settings)}
        taken: list[Address] = []
        try:
            for version in (4, 6):
                if version in wished:
                    wish = wished[version]
                    taken.append(self._pool(network.id, wish).take(wish))
                elif any(each.range.version == version for each in network.subnets):
                    taken.append(self._take_any(network, version))
        except BaseException:
            self._give_back(network.id, taken)
            raise
        return tuple(taken)

    def _take_any(self, network: Network, version: int) -> Address:
        for subnet, pool in zip(network.subnets, self._pools[network.id], strict=True):
            if subnet.range.version == version and not pool.is_full:
                return pool.take()
        raise Conflict(
            f"no available IPv{version} addresses on this network's address pools:"
            f" {network.name} ({network.id})"
        )

    def _give_back(self, network: NetworkId, addresses: Iterable[Address]) -> None:
        for address in addresses:
            self._pool(network, address).give_back(address)

    def _pool(self, network: NetworkId, address: Address) -> Pool:
        subnets = zip(self._networks[network].subnets, self._pools[network], strict=True)
        return next(pool for subnet, pool in subnets if address in subnet.range)
