"""Stand-ins for containers: a namespace each, plugged in by the network service."""

import socket

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


class CageSockets:
    """What the keeper does for the network service: sockets inside namespaces."""

    def __init__(self) -> None:
        self.spaces: dict[str, Namespace] = {}

    async def open_socket(
        self,
        sandbox_id: str,
        family: socket.AddressFamily,
        kind: socket.SocketKind,
        address: tuple[str, int],
    ) -> socket.socket:
        sock = self.spaces[sandbox_id].run(lambda: socket.socket(family, kind))
        sock.setblocking(False)
        sock.bind(address)
        if kind == socket.SOCK_STREAM:
            sock.listen()
        return sock

    async def open_netlink(self, sandbox_id: str, protocol: int) -> socket.socket:
        kind = socket.SOCK_RAW
        return self.spaces[sandbox_id].run(lambda: socket.socket(socket.AF_NETLINK, kind, protocol))


class Runner:
    """Starts cages on networks."""

    def __init__(self, networks: NetworkService, sockets: CageSockets | None = None) -> None:
        self._networks = networks
        self._sockets = sockets or CageSockets()
        self.cages: list[Cage] = []

    async def __call__(
        self, name: str, *on: str | EndpointRequest, ports: tuple[PortRequest, ...] = ()
    ) -> Cage:
        cage = Cage(name)
        self.cages.append(cage)
        self._sockets.spaces[cage.id] = cage.space
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
