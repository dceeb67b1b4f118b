"""Networks as the Engine API shows them.

Source: Engine API, NetworkCreate, NetworkInspect.
"""

import msgspec

from knarr.spec.docker.container import EndpointSettings
from knarr.spec.document import Document


class IPAMConfig(Document, omit_defaults=True):
    """One subnet; what was not set is not shown."""

    subnet: str = ""
    ip_range: str = msgspec.field(name="IPRange", default="")
    gateway: str = ""
    auxiliary_addresses: dict[str, str] = msgspec.field(default_factory=dict)


class IPAM(Document):
    driver: str = ""
    options: dict[str, str] | None = None
    config: tuple[IPAMConfig, ...] = ()


class ConfigReference(Document):
    network: str = ""


class Network(Document):
    """A network as lists show it."""

    name: str = ""
    id: str = ""
    created: str = ""
    scope: str = ""
    driver: str = ""
    enable_ipv4: bool = msgspec.field(name="EnableIPv4", default=False)
    enable_ipv6: bool = msgspec.field(name="EnableIPv6", default=False)
    ipam: IPAM | None = msgspec.field(name="IPAM", default=None)
    internal: bool = False
    attachable: bool = False
    ingress: bool = False
    config_from: ConfigReference | None = None
    config_only: bool = False
    options: dict[str, str] = msgspec.field(default_factory=dict)
    labels: dict[str, str] = msgspec.field(default_factory=dict)


class EndpointResource(Document):
    """A container on a network, as the network tells of it."""

    name: str = ""
    endpoint_id: str = msgspec.field(name="EndpointID", default="")
    mac_address: str = ""
    ipv4_address: str = msgspec.field(name="IPv4Address", default="")
    ipv6_address: str = msgspec.field(name="IPv6Address", default="")


class SubnetStatus(Document):
    """in_use: with what is never handed out. Both stop at 2**64 - 1."""

    ips_in_use: int = msgspec.field(name="IPsInUse", default=0)
    dynamic_ips_available: int = msgspec.field(name="DynamicIPsAvailable", default=0)


class IPAMStatus(Document):
    """By the subnet's range."""

    subnets: dict[str, SubnetStatus] = msgspec.field(default_factory=dict)


class NetworkStatus(Document):
    ipam: IPAMStatus = msgspec.field(name="IPAM", default_factory=IPAMStatus)


class NetworkInspect(Network):
    """``containers`` by their IDs: those that run. Lists are without ``status``."""

    containers: dict[str, EndpointResource] = msgspec.field(default_factory=dict)
    status: NetworkStatus | msgspec.UnsetType = msgspec.UNSET


class NetworkCreate(Document):
    """``enable_ipv4`` and ``enable_ipv6``: None leaves it to the driver."""

    name: str = ""
    driver: str = ""
    scope: str = ""
    internal: bool = False
    attachable: bool = False
    ingress: bool = False
    config_only: bool = False
    config_from: ConfigReference | None = None
    ipam: IPAM | None = msgspec.field(name="IPAM", default=None)
    enable_ipv4: bool | None = msgspec.field(name="EnableIPv4", default=None)
    enable_ipv6: bool | None = msgspec.field(name="EnableIPv6", default=None)
    options: dict[str, str] = msgspec.field(default_factory=dict)
    labels: dict[str, str] = msgspec.field(default_factory=dict)


class NetworkCreated(Document):
    id: str = ""
    warning: str = ""


class NetworkConnect(Document):
    container: str = ""
    endpoint_config: EndpointSettings | None = None


class NetworkDisconnect(Document):
    container: str = ""
    force: bool = False


class NetworksPruned(Document):
    networks_deleted: tuple[str, ...] = ()
