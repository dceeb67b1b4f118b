"""What each driver makes of a network and of an endpoint: plans. Pure."""

from collections.abc import Sequence
from ipaddress import ip_address

from knarr.network.endpoints import gateway_of, interfaces
from knarr.network.model import Endpoint, Network
from knarr.network.plan import (
    BridgePlan,
    EndpointPlan,
    Names,
    PairPlan,
    bridge_plan,
    is_isolated,
    mtu_of,
)


def standing_bridge(network: Network, names: Names, *, uplink_mtu: int) -> BridgePlan | None:
    """The bridge of a network; None where the driver has none."""
    if network.driver != "bridge" or network.config_only:
        return None
    return bridge_plan(network, names, mtu=mtu_of(network, uplink=uplink_mtu))


def plan_endpoint(
    endpoint: Endpoint,
    network: Network,
    names: Names,
    *,
    uplink_mtu: int,
    routes: Sequence[int],
    hairpin: bool,
) -> EndpointPlan | None:
    """None for ``host`` and ``none``, where there is nothing to do.

    routes: the IP versions whose default route goes out here.
    """
    settings = endpoint.settings
    gateways = tuple(ip_address(gateway_of(settings, version)) for version in sorted(routes))
    if network.driver == "bridge":
        return PairPlan(
            anchor=names.bridge(network),
            link=endpoint.link,
            interface=endpoint.interface,
            mac=settings.mac_address,
            mtu=mtu_of(network, uplink=uplink_mtu),
            addresses=interfaces(endpoint),
            gateways=gateways,
            hairpin=hairpin,
            isolated=is_isolated(network),
        )
    return None
