"""Which networks a container is on, or will be once it runs. Pure."""

from dataclasses import replace

import msgspec

from knarr.container.model import Container
from knarr.errors import InvalidArgument, KnarrError
from knarr.network import EndpointRequest, Network, endpoint_requests, network_mode
from knarr.spec.docker.container import EndpointSettings, NetworkingConfig

_HOST = "container cannot be disconnected from host network or connected to host network"
_SHARED = (
    "container sharing network namespace with another container or host"
    " cannot be connected to any other network"
)
_PRIVATE = (
    "container cannot be connected to multiple networks"
    " with one of the networks in private (none) mode"
)


def network_requests(container: Container) -> tuple[EndpointRequest, ...]:
    """The network of its mode first, unless it was taken off that one."""
    record = container.record
    networking = NetworkingConfig(endpoints_config=record.networks)
    requests = endpoint_requests(record.host, networking)
    return tuple(each for each in requests if each.network not in record.left_networks)


def connected(container: Container, network: Network, settings: EndpointSettings) -> Container:
    """On one more network. Raises InvalidArgument where its mode stands against it."""
    record = container.record
    mode = network_mode(record.host)
    if network.driver == "host":
        raise InvalidArgument(_HOST)
    if mode == "host" or mode.startswith("container:"):
        raise InvalidArgument(_SHARED)
    if mode == "none" or network.driver == "null":
        raise InvalidArgument(_PRIVATE)
    name = mode if mode in _spellings(network) else network.name
    return _with(
        container,
        networks={**record.networks, name: settings},
        left=tuple(each for each in record.left_networks if each != name),
    )


def disconnected(container: Container, network: Network) -> Container:
    """On one network less. Raises KnarrError when it is not on it."""
    record = container.record
    spellings = _spellings(network)
    if all(each.network not in spellings for each in network_requests(container)):
        raise KnarrError(f"container {container.id} is not connected to network {network.name}")
    mode = network_mode(record.host)
    rest = {name: given for name, given in record.networks.items() if name not in spellings}
    left = (*record.left_networks, mode) if mode in spellings else record.left_networks
    return _with(container, networks=rest, left=left)


def _spellings(network: Network) -> set[str]:
    return {network.name, network.id, network.id[:12]}


def _with(
    container: Container, *, networks: dict[str, EndpointSettings], left: tuple[str, ...]
) -> Container:
    record = msgspec.structs.replace(container.record, networks=networks, left_networks=left)
    return replace(container, record=record)
