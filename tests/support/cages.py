"""Stand-ins for containers: a namespace each, plugged in by the network service."""

from knarr.ids import ContainerId, new_container_id
from knarr.network import EndpointRequest, Member, NetworkService
from knarr.network.model import Plugged, PortRequest
from support.netns import Namespace

OUTSIDE = "203.0.113.2"
HOST = "203.0.113.1"


class Cage:
    """What stands for a container: a namespace, and what the service knows of it."""

    def __init__(self, name: str) -> None:
        self.id: ContainerId = new_container_id()
        self.member = Member(id=self.id, name=name, hostname=name)
        self.space = Namespace.new()
        self.plugged = Plugged()

    def address(self, network: str = "bridge") -> str:
        return self.plugged.networks[network].ip_address

    def address6(self, network: str) -> str:
        return self.plugged.networks[network].global_ipv6_address


class Runner:
    """Starts cages on networks."""

    def __init__(self, networks: NetworkService) -> None:
        self._networks = networks
        self.cages: list[Cage] = []

    async def __call__(
        self, name: str, *on: str | EndpointRequest, ports: tuple[PortRequest, ...] = ()
    ) -> Cage:
        cage = Cage(name)
        self.cages.append(cage)
        requests = [
            each if isinstance(each, EndpointRequest) else EndpointRequest(network=each)
            for each in on or ("bridge",)
        ]
        cage.plugged = await self._networks.plug(cage.member, cage.space, requests, ports)
        return cage

    def follow(self, networks: NetworkService) -> None:
        """The service was started anew."""
        self._networks = networks

    async def close(self) -> None:
        for cage in self.cages:
            await self._networks.unplug(cage.id)
            cage.space.close()
