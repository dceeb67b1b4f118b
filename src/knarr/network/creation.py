"""From what somebody asked of ``network create`` to a network, refusing what cannot be. Pure."""

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from ipaddress import IPv6Network, ip_address, ip_network
from typing import Final

from msgspec.structs import replace

from knarr.errors import Forbidden, InvalidArgument, NotFound
from knarr.ids import NetworkId
from knarr.network.documents import document_of
from knarr.network.drivers import ON_PARENT, flag_of, mode_of
from knarr.network.ipam import DEFAULT_POOLS, free_subnet, overlap
from knarr.network.model import (
    OPTION_BRIDGE_NAME,
    OPTION_DEFAULT_BRIDGE,
    OPTION_HOST_BINDING,
    OPTION_ICC,
    OPTION_MASQUERADE,
    OPTION_MTU,
    PREDEFINED,
    Address,
    AddressRange,
    Network,
    Subnet,
)
from knarr.spec.docker.network import IPAMConfig, NetworkCreate

DRIVERS: Final = ("bridge", "macvlan", "ipvlan")
_LINK_NAME_MAX: Final = 15


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What is decided by the machine or by chance.

    busy: ranges that no new subnet may overlap: the host's routes and addresses, our networks.
    ours: those of them that are our networks': an explicit subnet may not overlap them.
    local_range: where IPv6 subnets are cut from when none is given.
    """

    id: NetworkId
    now_ns: int
    busy: Sequence[AddressRange]
    ours: Sequence[AddressRange]
    local_range: IPv6Network
    pools: Sequence[tuple[AddressRange, int]] = DEFAULT_POOLS


def new_network(body: NetworkCreate, facts: Facts) -> Network:
    """The network that ``body`` asks for. Raises in Docker's words what cannot be."""
    driver = body.driver or "bridge"
    _check(body, driver)
    ipv4 = body.enable_ipv4 is not False
    ipv6 = bool(body.enable_ipv6)
    if not ipv4 and not ipv6 and not body.config_only:
        raise InvalidArgument("IPv4 or IPv6 must be enabled")
    return Network(
        id=facts.id,
        name=body.name,
        driver=driver,
        created_ns=facts.now_ns,
        subnets=(
            _template_subnets(body)
            if body.config_only
            else _subnets(body, driver, facts, ipv4=ipv4, ipv6=ipv6)
        ),
        enable_ipv4=ipv4,
        enable_ipv6=ipv6,
        internal=body.internal,
        attachable=body.attachable,
        config_only=body.config_only,
        config_from=body.config_from.network if body.config_from else "",
        ipam_driver=(body.ipam.driver if body.ipam else "") or "default",
        ipam_options=body.ipam.options if body.ipam else None,
        options=dict(body.options),
        labels=dict(body.labels),
    )


def inherited(body: NetworkCreate, template: Network) -> NetworkCreate:
    """``body`` with the configuration of a network made by ``--config-only``.

    Raises Forbidden in Docker's words when it has one of its own, or the other is no template.
    """
    if not template.config_only:
        raise Forbidden(f"the network {template.name} is not a configuration network")
    if body.options or (body.ipam and (body.ipam.config or body.ipam.options)):
        raise Forbidden(
            "user specified configurations are not supported"
            " if the network depends on a configuration network"
        )
    document = document_of(template)
    return replace(
        body,
        ipam=document.ipam,
        enable_ipv4=template.enable_ipv4,
        enable_ipv6=template.enable_ipv6,
        options=dict(template.options),
        labels={**template.labels, **body.labels},
    )


def _check(body: NetworkCreate, driver: str) -> None:
    if not body.name.strip():
        raise InvalidArgument("invalid network name: name is empty")
    if body.name in PREDEFINED:
        raise Forbidden(f"operation is not permitted on predefined {body.name} network ")
    if driver in {"host", "null"}:
        raise Forbidden(f'only one instance of "{driver}" network is allowed')
    if driver not in DRIVERS:
        raise NotFound(f'plugin "{driver}" not found')
    if body.scope not in {"", "local"} or body.ingress:
        raise InvalidArgument("swarm-scoped networks need a swarm, which this engine has not")
    if driver in ON_PARENT:
        mode_of(driver, body.options)
        flag_of(body.options)
    ipam = body.ipam
    if ipam and ipam.driver not in {"", "default", "null"}:
        raise InvalidArgument(f"invalid ipam driver {ipam.driver}: only default is there")
    _check_options(body.options)


def _check_options(options: Mapping[str, str]) -> None:
    name = options.get(OPTION_BRIDGE_NAME, "")
    if len(name) > _LINK_NAME_MAX or "/" in name:
        raise InvalidArgument(f"invalid bridge name: {name}: at most 15 characters, no slash")
    mtu = options.get(OPTION_MTU, "")
    if mtu and not (mtu.isdecimal() and (int(mtu) == 0 or 68 <= int(mtu) <= 65535)):
        raise InvalidArgument(f"invalid MTU: {mtu}")
    for each in (OPTION_ICC, OPTION_MASQUERADE):
        if options.get(each, "").lower() not in {"", "0", "1", "t", "f", "true", "false"}:
            raise InvalidArgument(f"invalid value for {each}: {options[each]}")
    if binding := options.get(OPTION_HOST_BINDING):
        _address(binding, "host_binding_ipv4")


# Subnets


def _template_subnets(body: NetworkCreate) -> tuple[Subnet, ...]:
    """Written down, not taken: only networks made from the template use them."""
    configs = body.ipam.config if body.ipam else ()
    return tuple(explicit_subnet(each, gateway=False) for each in configs if each.subnet)


def _subnets(
    body: NetworkCreate, driver: str, facts: Facts, *, ipv4: bool, ipv6: bool
) -> tuple[Subnet, ...]:
    if body.ipam and body.ipam.driver == "null":
        return ()
    configs = body.ipam.config if body.ipam else ()
    given: list[Subnet] = []
    for config in configs:
        if config.subnet:
            subnet = explicit_subnet(config, gateway=_wants_gateway(body, driver))
            rivals = (*facts.ours, *(each.range for each in given))
            if any(overlap(subnet.range, rival) for rival in rivals):
                raise Forbidden("Pool overlaps with other one on this address space")
            given.append(subnet)
    wanted = ((4, ipv4), (6, ipv6))
    for version, is_on in wanted:
        if is_on and not any(each.range.version == version for each in given):
            given.append(_chosen_subnet(version, configs, body, driver, facts))
    return tuple(each for each in given if (ipv4, ipv6)[each.range.version == 6])


def _wants_gateway(body: NetworkCreate, driver: str) -> bool:
    """ipvlan's layer 3 has no router to send to; all others name one by default."""
    mode = body.options.get("ipvlan_mode", "l2")
    return not (driver == "ipvlan" and mode.startswith("l3"))


def _chosen_subnet(
    version: int,
    configs: Sequence[IPAMConfig],
    body: NetworkCreate,
    driver: str,
    facts: Facts,
) -> Subnet:
    pools = facts.pools if version == 4 else ((facts.local_range, 64),)
    range_ = free_subnet(facts.busy, pools)
    vague = next((each for each in configs if not each.subnet and not _is_empty(each)), None)
    if vague is not None and version == 4:
        raise InvalidArgument("--gateway and --ip-range need a --subnet that contains them")
    gateway = range_[1] if _wants_gateway(body, driver) else None
    return Subnet(range=range_, pool=range_, gateway=gateway)


def _is_empty(config: IPAMConfig) -> bool:
    return not (config.gateway or config.ip_range or config.auxiliary_addresses)


def explicit_subnet(config: IPAMConfig, *, gateway: bool = True) -> Subnet:
    """A subnet as given; its first address is the gateway unless another is named."""
    range_ = _range(config.subnet, "subnet")
    pool = _range(config.ip_range, "ip-range") if config.ip_range else range_
    if pool.version != range_.version or not _contains(range_, pool):
        raise InvalidArgument(
            f"invalid network config:\ninvalid ip-range {pool}: it is not within subnet {range_}"
        )
    reserved = {
        name: _within(range_, text, "auxiliary address")
        for name, text in config.auxiliary_addresses.items()
    }
    chosen: Address | None = None
    if config.gateway:
        chosen = _within(range_, config.gateway.partition("/")[0], "gateway")
    elif gateway:
        chosen = _first_free(range_, pool, set(reserved.values()))
    return Subnet(range=range_, pool=pool, gateway=chosen, reserved=reserved)


def _first_free(range_: AddressRange, pool: AddressRange, taken: set[Address]) -> Address:
    start = pool if pool.prefixlen > range_.prefixlen and range_.num_addresses > 2 else range_
    for address in start:
        is_edge = address in {range_.network_address, range_.broadcast_address}
        if address not in taken and (range_.num_addresses <= 2 or not is_edge):
            return address
    raise InvalidArgument(f"no address is left for the gateway in {start}")


def _range(text: str, what: str) -> AddressRange:
    try:
        if "/" not in text:
            raise ValueError("an address alone is no range")
        return ip_network(text, strict=False)
    except ValueError as error:
        raise InvalidArgument(f"invalid {what} {text} : invalid CIDR address: {text}") from error


def _address(text: str, what: str) -> Address:
    try:
        return ip_address(text)
    except ValueError as error:
        raise InvalidArgument(f"invalid {what}: {text}") from error


def _within(range_: AddressRange, text: str, what: str) -> Address:
    address = _address(text, what)
    if address not in range_:
        raise InvalidArgument(
            f"invalid network config:\ninvalid {what} {address}: parent subnet is {range_}"
        )
    return address


def _contains(outer: AddressRange, inner: AddressRange) -> bool:
    return outer.network_address <= inner.network_address and (  # type: ignore[operator]
        inner.broadcast_address <= outer.broadcast_address  # type: ignore[operator]
    )


# The predefined three


def default_bridge(
    id_: NetworkId, now_ns: int, *, bridge: str, range_: AddressRange, mtu: int, icc: bool = True
) -> Network:
    """``bridge``: where containers are that ask for nothing."""
    return Network(
        id=id_,
        name="bridge",
        driver="bridge",
        created_ns=now_ns,
        subnets=(Subnet(range=range_, pool=range_, gateway=range_[1]),),
        options={
            OPTION_DEFAULT_BRIDGE: "true",
            OPTION_ICC: _flag(icc),
            OPTION_MASQUERADE: "true",
            OPTION_HOST_BINDING: "0.0.0.0",
            OPTION_BRIDGE_NAME: bridge,
            OPTION_MTU: str(mtu),
        },
    )


def with_icc(bridge: Network, *, icc: bool) -> Network:
    """The default bridge of an engine that was started with another ``--icc``."""
    return dataclasses.replace(bridge, options={**bridge.options, OPTION_ICC: _flag(icc)})


def _flag(value: bool) -> str:
    return str(value).lower()


def without_addresses(id_: NetworkId, now_ns: int, *, name: str, driver: str) -> Network:
    """``host`` and ``none``."""
    return Network(id=id_, name=name, driver=driver, created_ns=now_ns)
