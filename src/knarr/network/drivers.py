"""What each driver makes of a network and of an endpoint: plans. Pure."""

import re
from collections.abc import Mapping, Sequence
from ipaddress import ip_address
from typing import Final

from knarr.errors import InvalidArgument
from knarr.kernel.netlink import IPVLAN_FLAGS, IPVLAN_MODES, MACVLAN_MODES
from knarr.network.endpoints import gateway_of, interfaces
from knarr.network.model import Endpoint, Network
from knarr.network.plan import (
    BridgePlan,
    EndpointPlan,
    Names,
    OnParentPlan,
    PairPlan,
    ParentPlan,
    bridge_plan,
    is_isolated,
    mtu_of,
)

ON_PARENT: Final = ("macvlan", "ipvlan")
_PARENT: Final = "parent"
_VLAN: Final = re.compile(r"(.+)\.(\d{1,4})")
_DEFAULT_MODES: Final = {"macvlan": "bridge", "ipvlan": "l2"}
_MODES: Final[Mapping[str, Mapping[str, int]]] = {"macvlan": MACVLAN_MODES, "ipvlan": IPVLAN_MODES}


def standing_bridge(network: Network, names: Names, *, uplink_mtu: int) -> BridgePlan | None:
    """The bridge of a network; None where the driver has none."""
    if network.driver != "bridge" or network.config_only:
        return None
    return bridge_plan(network, names, mtu=mtu_of(network, uplink=uplink_mtu))


def mode_of(driver: str, options: Mapping[str, str]) -> str:
    """Raises InvalidArgument in Docker's words for one that there is not."""
    default = _DEFAULT_MODES[driver]
    mode = options.get(f"{driver}_mode") or default
    if mode not in _MODES[driver]:
        raise InvalidArgument(
            f"requested {driver} mode '{mode}' is not valid,"
            f" '{default}' mode is the {driver} driver default"
        )
    return mode


def flag_of(options: Mapping[str, str]) -> str:
    flag = options.get("ipvlan_flag") or "bridge"
    if flag not in IPVLAN_FLAGS:
        raise InvalidArgument(
            f"requested ipvlan flag '{flag}' is not valid,"
            " 'bridge' flag is the ipvlan driver default"
        )
    return flag


def parent_plan(network: Network, names: Names) -> ParentPlan | None:
    """What a network hangs on; None where the driver needs nothing.

    Without a parent, and always on an internal network, it is a wire that leads nowhere.
    """
    if network.driver not in ON_PARENT or network.config_only:
        return None
    given = network.options.get(_PARENT, "")
    if network.internal or not given:
        return ParentPlan(name=names.parent(network.id), driver=network.driver, is_made=True)
    if given == "lo":
        raise InvalidArgument(f"loopback interface is not a valid {network.driver} parent link")
    match = _VLAN.fullmatch(given)
    vlan = (match[1], int(match[2])) if match and 1 <= int(match[2]) <= 4094 else None
    return ParentPlan(name=given, driver=network.driver, vlan=vlan)


def plan_endpoint(
    endpoint: Endpoint,
    network: Network,
    names: Names,
    *,
    uplink_mtu: int,
    routes: Sequence[int],
    unrouted: Sequence[int],
    hairpin: bool,
) -> EndpointPlan | None:
    """None for ``host`` and ``none``, where there is nothing to do.

    routes: the IP versions whose default route goes out here by a gateway.
    unrouted: those for which no endpoint of the container has a gateway.
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
    parent = parent_plan(network, names)
    if parent is None:
        return None
    mode = mode_of(network.driver, network.options)
    addresses = interfaces(endpoint)
    versions = {address.version for address in addresses}
    is_layer3 = mode.startswith("l3") and not network.internal
    return OnParentPlan(
        anchor=parent.name,
        driver=network.driver,
        mode=mode,
        flag=flag_of(network.options),
        interface=endpoint.interface,
        mac=settings.mac_address,
        addresses=addresses,
        gateways=gateways,
        routed=tuple(version for version in unrouted if is_layer3 and version in versions),
    )
