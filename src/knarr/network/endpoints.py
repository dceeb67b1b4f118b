"""From the wish for an endpoint to the endpoint: what is refused, what is filled in. Pure."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from ipaddress import ip_address
from typing import Final

import msgspec

from knarr.errors import Forbidden, InvalidArgument
from knarr.ids import EndpointId, NetworkId, short
from knarr.kernel.netlink import Interface, mac_bytes
from knarr.network.interface_settings import check_interface_settings
from knarr.network.ipam import mac_of
from knarr.network.model import (
    OPTION_INTERFACE,
    OPTION_PREFIX,
    Address,
    Endpoint,
    EndpointRequest,
    Member,
    Network,
)
from knarr.network.plan import Names, interface
from knarr.spec.docker.container import EndpointSettings

_NO_ADDRESSES: Final[Mapping[str, str | int]] = {
    "ip_address": "",
    "ip_prefix_len": 0,
    "gateway": "",
    "global_ipv6_address": "",
    "global_ipv6_prefix_len": 0,
    "ipv6_gateway": "",
}
_LINK_LOCAL_PREFIX: Final = {4: 16, 6: 64}
_MAC: Final = re.compile(r"[0-9a-fA-F]{2}([:-][0-9a-fA-F]{2}){5}")
_ONLY_USER_DEFINED: Final = "user specified IP address is supported on user defined networks only"
_ONLY_USER_SUBNETS: Final = (
    "user specified IP address is supported only when connecting to networks"
    " with user configured subnets"
)


def check_request(network: Network, settings: EndpointSettings) -> None:
    """Refuse what this network cannot give. Raises InvalidArgument in Docker's words."""
    if network.config_only:
        raise Forbidden("cannot create endpoint on configuration-only network")
    plain = network.is_predefined
    if settings.aliases and plain and _names_beyond_ids(settings.aliases):
        raise InvalidArgument("network-scoped aliases are only supported for user-defined networks")
    wanted = wanted_addresses(settings)
    if wanted and plain:
        raise InvalidArgument(_ONLY_USER_DEFINED)
    for address in wanted:
        if network.subnets and network.subnet_of(address) is None:
            raise InvalidArgument(
                f"invalid endpoint settings:\nno configured subnet contains IP address {address}"
            )
        if not network.subnets:
            raise InvalidArgument(_ONLY_USER_SUBNETS)
    for text in settings.ipam_config.link_local_ips if settings.ipam_config else ():
        if not _is_link_local(text):
            raise InvalidArgument(f"invalid link-local IP address {text}")
    check_interface_settings(settings)
    if settings.mac_address and not _MAC.fullmatch(settings.mac_address):
        raise InvalidArgument(f"invalid MAC address: {settings.mac_address}")


def _is_link_local(text: str) -> bool:
    try:
        return ip_address(text).is_link_local
    except ValueError:
        return False


def _names_beyond_ids(aliases: Iterable[str]) -> bool:
    """Compose and the CLI once gave the short ID as an alias; that is no harm anywhere."""
    return any(re.fullmatch(r"[0-9a-f]{12}", alias) is None for alias in aliases)


def wanted_addresses(settings: EndpointSettings) -> list[Address]:
    """``--ip`` and ``--ip6``. Raises InvalidArgument when one is no address of its family."""
    ipam = settings.ipam_config
    found: list[Address] = []
    for text, version in ((ipam.ipv4_address, 4), (ipam.ipv6_address, 6)) if ipam else ():
        if not text:
            continue
        try:
            address = ip_address(text)
        except ValueError:
            address = None
        if address is None or address.version != version:
            raise InvalidArgument(
                f"invalid endpoint settings:\ninvalid IPv{version} address: {text}"
            )
        found.append(address)
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """An endpoint about to be: the network, what was asked, what was handed out."""

    id: EndpointId
    network: Network
    request: EndpointRequest
    addresses: tuple[Address, ...]

    @property
    def settings(self) -> EndpointSettings:
        return self.request.settings


def endpoint(draft: Draft, member: Member, names: Names, *, interface_name: str) -> Endpoint:
    """With its settings complete, as inspect shows them.

    What only the engine knows counts for nothing in what was asked: clients send back what
    they were told of another container.
    """
    settings = msgspec.structs.replace(
        draft.settings,
        network_id=draft.network.id,
        endpoint_id=draft.id,
        mac_address=_mac(draft),
        dns_names=dns_names(draft.network, member, draft.settings),
        **_address_fields(draft),
    )
    has_link = draft.network.driver == "bridge"
    return Endpoint(
        id=draft.id,
        network=draft.network.id,
        container=member.id,
        container_name=member.name,
        link=names.link(draft.id) if has_link else "",
        interface=interface_name if draft.network.driver not in {"host", "null"} else "",
        settings=settings,
    )


def _mac(draft: Draft) -> str:
    if draft.settings.mac_address:
        return mac_bytes(draft.settings.mac_address).hex(":")
    if draft.network.driver == "ipvlan" or not draft.addresses:
        return ""
    return mac_of(draft.addresses[0])


def _address_fields(draft: Draft) -> dict[str, str | int]:
    fields: dict[str, str | int] = dict(_NO_ADDRESSES)
    for address in draft.addresses:
        subnet = draft.network.subnet_of(address)
        assert subnet is not None
        gateway = "" if draft.network.internal or subnet.gateway is None else str(subnet.gateway)
        if address.version == 4:
            fields |= {"ip_address": str(address), "gateway": gateway}
            fields["ip_prefix_len"] = subnet.range.prefixlen
        else:
            fields |= {"global_ipv6_address": str(address), "ipv6_gateway": gateway}
            fields["global_ipv6_prefix_len"] = subnet.range.prefixlen
    return fields


def dns_names(network: Network, member: Member, settings: EndpointSettings) -> tuple[str, ...]:
    """The names by which others on the network find the container; none on predefined ones."""
    if network.is_predefined:
        return ()
    names = (member.name, *settings.aliases, short(member.id), member.hostname)
    return tuple(dict.fromkeys(name for name in names if name))


def renamed(before: Endpoint, name: str) -> Endpoint:
    """The endpoint of a container that is called ``name`` from now on."""
    names = [name if each == before.container_name else each for each in before.settings.dns_names]
    settings = msgspec.structs.replace(before.settings, dns_names=tuple(dict.fromkeys(names)))
    return replace(before, container_name=name, settings=settings)


def interface_names(drafts: Sequence[Draft], used: Iterable[str] = ()) -> list[str]:
    """``eth0``, ``eth1``, … or what an option says, none twice."""
    taken = set(used)
    names: list[str] = []
    for draft in drafts:
        name = (draft.settings.driver_opts or {}).get(OPTION_INTERFACE, "")
        prefix = draft.network.options.get(OPTION_PREFIX) or "eth"
        number = 0
        while not name or name in taken:
            name = f"{prefix}{number}"
            number += 1
        taken.add(name)
        names.append(name)
    return names


def gateway_endpoint(
    endpoints: Sequence[Endpoint], networks: Mapping[NetworkId, Network], *, version: int
) -> Endpoint | None:
    """The endpoint whose gateway is the default route of a family; None when there is none.

    The highest priority wins, then the network whose name comes first. Source: Docker's
    documentation of ``--gw-priority``.
    """
    able = [each for each in endpoints if gateway_of(each.settings, version)]
    return min(
        able,
        key=lambda each: (-each.settings.gw_priority, networks[each.network].name),
        default=None,
    )


def gateway_of(settings: EndpointSettings, version: int) -> str:
    return settings.gateway if version == 4 else settings.ipv6_gateway


def interfaces(endpoint: Endpoint) -> tuple[Interface, ...]:
    """The container's addresses with their prefix lengths."""
    settings = endpoint.settings
    both = (
        (settings.ip_address, settings.ip_prefix_len),
        (settings.global_ipv6_address, settings.global_ipv6_prefix_len),
    )
    found = [interface(ip_address(text), prefix) for text, prefix in both if text]
    for text in settings.ipam_config.link_local_ips if settings.ipam_config else ():
        address = ip_address(text)
        found.append(interface(address, _LINK_LOCAL_PREFIX[address.version]))
    return tuple(found)
