"""Networks between the model and the documents of the Engine API. Pure."""

from collections.abc import Iterable, Sequence
from ipaddress import ip_address, ip_network

from msgspec.structs import replace

from knarr.ids import NetworkId
from knarr.network.model import Address, Endpoint, Network, Subnet
from knarr.spec.docker.network import (
    IPAM,
    ConfigReference,
    IPAMConfig,
    IPAMStatus,
    NetworkInspect,
    NetworkStatus,
    SubnetStatus,
)
from knarr.spec.docker.network import Network as NetworkDocument
from knarr.units import timestamp

_MOST = 2**64 - 1


def document_of(network: Network) -> NetworkDocument:
    """As rows keep it and lists show it."""
    return NetworkDocument(
        name=network.name,
        id=network.id,
        created=timestamp(network.created_ns),
        scope=network.scope,
        driver=network.driver,
        enable_ipv4=network.enable_ipv4,
        enable_ipv6=network.enable_ipv6,
        ipam=IPAM(
            driver=network.ipam_driver,
            options=None if network.ipam_options is None else dict(network.ipam_options),
            config=tuple(_config(subnet) for subnet in network.subnets),
        ),
        internal=network.internal,
        attachable=network.attachable,
        ingress=network.ingress,
        config_from=ConfigReference(network=network.config_from),
        config_only=network.config_only,
        options=dict(network.options),
        labels=dict(network.labels),
    )


def _config(subnet: Subnet) -> IPAMConfig:
    return IPAMConfig(
        subnet=str(subnet.range),
        ip_range="" if subnet.pool == subnet.range else str(subnet.pool),
        gateway=str(subnet.gateway) if subnet.gateway is not None else "",
        auxiliary_addresses={name: str(each) for name, each in subnet.reserved.items()},
    )


def network_of(document: NetworkDocument, *, created_ns: int) -> Network:
    """The inverse of ``document_of``."""
    ipam = document.ipam or IPAM()
    return Network(
        id=NetworkId(document.id),
        name=document.name,
        driver=document.driver,
        created_ns=created_ns,
        subnets=tuple(_subnet(config) for config in ipam.config),
        enable_ipv4=document.enable_ipv4,
        enable_ipv6=document.enable_ipv6,
        internal=document.internal,
        attachable=document.attachable,
        ingress=document.ingress,
        config_only=document.config_only,
        config_from=document.config_from.network if document.config_from else "",
        scope=document.scope,
        ipam_driver=ipam.driver,
        ipam_options=ipam.options,
        options=dict(document.options),
        labels=dict(document.labels),
    )


def _subnet(config: IPAMConfig) -> Subnet:
    whole = ip_network(config.subnet)
    return Subnet(
        range=whole,
        pool=ip_network(config.ip_range) if config.ip_range else whole,
        gateway=ip_address(config.gateway) if config.gateway else None,
        reserved={name: ip_address(text) for name, text in config.auxiliary_addresses.items()},
    )


def inspect(network: Network, endpoints: Sequence[Endpoint]) -> NetworkInspect:
    """With the containers that are on it now, and how full its subnets are."""
    addresses = [ip_address(text) for each in endpoints for text in each.addresses]
    subnets = {str(each.range): usage(each, addresses) for each in network.subnets}
    return replace(
        listed(network),
        containers={each.container: each.resource for each in endpoints},
        status=NetworkStatus(ipam=IPAMStatus(subnets=subnets)),
    )


def listed(network: Network) -> NetworkInspect:
    """As lists show it: without its containers."""
    shown = document_of(network)
    return NetworkInspect(**{name: getattr(shown, name) for name in shown.__struct_fields__})


def usage(subnet: Subnet, taken: Iterable[Address]) -> SubnetStatus:
    """How many addresses of a subnet are in use or reserved, and how many are left to hand out."""
    whole = subnet.range
    used = {each for each in taken if each in whole} | set(subnet.reserved.values())
    if subnet.gateway is not None:
        used.add(subnet.gateway)
    if whole.num_addresses > 2:
        used.add(whole.network_address)
        if whole.version == 4:
            used.add(whole.broadcast_address)
    left = subnet.pool.num_addresses - sum(each in subnet.pool for each in used)
    return SubnetStatus(ips_in_use=len(used), dynamic_ips_available=min(left, _MOST))
