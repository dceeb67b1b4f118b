"""What the room talks of: networks, what a container asks of them, and what it got."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from typing import Final

from knarr.ids import ContainerId, EndpointId, NetworkId
from knarr.spec.docker.container import EndpointSettings, PortBinding
from knarr.spec.docker.network import EndpointResource

Address = IPv4Address | IPv6Address
AddressRange = IPv4Network | IPv6Network

PREDEFINED: Final = ("bridge", "host", "none")
OPTION_DEFAULT_BRIDGE: Final = "com.docker.network.bridge.default_bridge"
OPTION_BRIDGE_NAME: Final = "com.docker.network.bridge.name"
OPTION_ICC: Final = "com.docker.network.bridge.enable_icc"
OPTION_MASQUERADE: Final = "com.docker.network.bridge.enable_ip_masquerade"
OPTION_HOST_BINDING: Final = "com.docker.network.bridge.host_binding_ipv4"
OPTION_INHIBIT: Final = "com.docker.network.bridge.inhibit_ipv4"
OPTION_MTU: Final = "com.docker.network.driver.mtu"
OPTION_PREFIX: Final = "com.docker.network.container_iface_prefix"
OPTION_INTERFACE: Final = "com.docker.network.endpoint.ifname"


@dataclass(frozen=True, slots=True, kw_only=True)
class Subnet:
    """One range of addresses of a network.

    pool: where addresses are handed out from; the whole of ``range`` unless narrowed.
    gateway: the address of the bridge, or of a router outside (macvlan); None where there is none.
    reserved: addresses by name which are never handed out (``--aux-address``).
    """

    range: AddressRange
    pool: AddressRange
    gateway: Address | None = None
    reserved: Mapping[str, Address] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Network:
    """One network as the engine knows it; replaced, never edited."""

    id: NetworkId
    name: str
    driver: str
    created_ns: int
    subnets: tuple[Subnet, ...] = ()
    enable_ipv4: bool = True
    enable_ipv6: bool = False
    internal: bool = False
    attachable: bool = False
    ingress: bool = False
    config_only: bool = False
    config_from: str = ""
    scope: str = "local"
    ipam_driver: str = "default"
    ipam_options: Mapping[str, str] | None = None
    options: Mapping[str, str] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)

    @property
    def is_predefined(self) -> bool:
        return self.name in PREDEFINED

    @property
    def is_default_bridge(self) -> bool:
        return self.options.get(OPTION_DEFAULT_BRIDGE) == "true"

    def subnet_of(self, address: Address) -> Subnet | None:
        return next((each for each in self.subnets if address in each.range), None)

    def option(self, name: str, *, default: bool) -> bool:
        """A driver option that is true or false; absent or empty means ``default``."""
        value = self.options.get(name, "")
        return value.lower() in {"1", "t", "true"} if value else default


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """A container, as far as networks care.

    name: without the slash. dns_servers: ``--dns``, whom to ask instead of the host's.
    group: the containers of one group share the host ports that they name exactly.
    """

    id: ContainerId
    name: str
    hostname: str = ""
    domainname: str = ""
    dns_servers: tuple[str, ...] = ()
    group: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class EndpointRequest:
    """A wish to be on ``network`` (name, ID or its beginning), with what the client said of it."""

    network: str
    settings: EndpointSettings = field(default_factory=EndpointSettings)


@dataclass(frozen=True, slots=True, kw_only=True)
class PortRequest:
    """One container port to publish.

    host_ip: empty for the network's default (all addresses of the host).
    first, last: the host ports to choose from; both 0 for any ephemeral one.
    """

    container_port: int
    protocol: str = "tcp"
    host_ip: str = ""
    first: int = 0
    last: int = 0

    @property
    def key(self) -> str:
        """As the API writes it: ``80/tcp``."""
        return f"{self.container_port}/{self.protocol}"

    @property
    def is_exact(self) -> bool:
        """One port is named, not several to choose from."""
        return bool(self.first) and self.first == self.last


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishedPort:
    """A host port that leads to a container: what was chosen for a PortRequest.

    group: the containers of this group may have the same port; empty for a port of one's own.
    """

    protocol: str
    host_ip: Address
    host_port: int
    target: Address
    container_port: int
    group: str = ""

    @property
    def place(self) -> tuple[str, Address, int]:
        """What there is only one of: protocol, the host's address, its port."""
        return self.protocol, self.host_ip, self.host_port

    @property
    def key(self) -> str:
        return f"{self.container_port}/{self.protocol}"

    @property
    def binding(self) -> PortBinding:
        return PortBinding(host_ip=str(self.host_ip), host_port=str(self.host_port))

    def leading_to(self, target: Address) -> "PublishedPort":
        return replace(self, target=target)


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """A running container's place on one network.

    link: the name of the host's end (veth), or empty; interface: the name inside the container.
    settings: complete, as inspect shows them.
    """

    id: EndpointId
    network: NetworkId
    container: ContainerId
    container_name: str
    link: str
    interface: str
    settings: EndpointSettings

    @property
    def addresses(self) -> tuple[str, ...]:
        both = (self.settings.ip_address, self.settings.global_ipv6_address)
        return tuple(each for each in both if each)

    @property
    def resource(self) -> EndpointResource:
        """As ``network inspect`` lists it."""
        four, six = self.settings.ip_address, self.settings.global_ipv6_address
        return EndpointResource(
            name=self.container_name,
            endpoint_id=self.id,
            mac_address=self.settings.mac_address,
            ipv4_address=f"{four}/{self.settings.ip_prefix_len}" if four else "",
            ipv6_address=f"{six}/{self.settings.global_ipv6_prefix_len}" if six else "",
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Plugged:
    """What a container got; the rows of inspect's NetworkSettings.

    networks: by the network's name, the one with the default gateway first.
    ports: by ``80/tcp``; published ones only.
    kernel_settings: of its interfaces, to be written by the runtime.
    """

    networks: Mapping[str, EndpointSettings] = field(default_factory=dict)
    kernel_settings: Mapping[str, str] = field(default_factory=dict)
    ports: Mapping[str, tuple[PortBinding, ...]] = field(default_factory=dict)
