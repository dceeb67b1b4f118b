"""How networks are written: ``--network name=…,alias=…``, ``--add-host``, ``--dns``.

Source: Docker CLI reference, "container run", --network.
"""

from __future__ import annotations

import re

from knarr.cli.create.fields import csv_fields
from knarr.client.lean import TYPE_CHECKING
from knarr.errors import InvalidArgument

if TYPE_CHECKING:
    from typing import Any, Final

    from knarr.cli.create.options import ContainerOptions

BUILT_IN: Final = ("bridge", "host", "none", "default")
DEFAULT: Final = "default"
_DOMAIN: Final = re.compile(
    r"(:?(:?[a-zA-Z0-9]|(:?[a-zA-Z0-9][a-zA-Z0-9\-]*[a-zA-Z0-9]))"
    r"(:?\.(:?[a-zA-Z0-9]|(:?[a-zA-Z0-9][a-zA-Z0-9\-]*[a-zA-Z0-9])))*)\.?\s*"
)
_MAC: Final = re.compile(r"[0-9a-fA-F]{2}([:-])(?:[0-9a-fA-F]{2}\1){4}[0-9a-fA-F]{2}")


def address(text: str) -> str:
    """An IP address, as itself."""
    import ipaddress

    try:
        return str(ipaddress.ip_address(text.strip()))
    except ValueError:
        raise InvalidArgument(f"IP address is not correctly formatted: {text}") from None


def search_domain(text: str) -> str:
    """A domain to search, or ``.`` for none."""
    if text.strip() == ".":
        return "."
    if not re.search("[a-zA-Z]", text) or len(text) > 255 or not _DOMAIN.fullmatch(text):
        raise InvalidArgument(f"{text} is not a valid domain")
    return text


def extra_host(text: str) -> str:
    """``NAME:IP`` or ``NAME=IP``, always answered with a colon; IP may be ``host-gateway``."""
    name, mark, ip = text.partition("=" if "=" in text else ":")
    if not mark or not name:
        raise InvalidArgument(f'bad format for add-host: "{text}"')
    if ip.startswith("[") and ip.endswith("]"):
        ip = ip[1:-1]
    if ip != "host-gateway":
        try:
            ip = address(ip)
        except InvalidArgument:
            raise InvalidArgument(f'invalid IP address in add-host: "{ip}"') from None
    return f"{name}:{ip}"


def attachment(text: str) -> dict[str, Any]:
    """One network: its name alone, or ``name=…`` and what is special there."""
    if "=" not in text:
        return {"name": text}
    network: dict[str, Any] = {}
    for field in csv_fields(text):
        key, equals, value = field.partition("=")
        key, value = key.strip().lower(), value.strip()
        if not equals or not key:
            raise InvalidArgument(f"invalid field {field}")
        match key:
            case "name" | "ip" | "ip6" | "mac-address":
                network[key] = value
            case "alias" | "link-local-ip":
                network.setdefault(key, []).append(value)
            case "driver-opt":
                name, mark, setting = value.partition("=")
                if not mark:
                    raise InvalidArgument("invalid key value pair format in driver options")
                network.setdefault(key, {})[name] = setting
            case "gw-priority":
                network[key] = _priority(value)
            case _:
                raise InvalidArgument(f"invalid field key {key}")
    if not network.get("name"):
        raise InvalidArgument("network name/id is not specified")
    return network


def _priority(value: str) -> int:
    try:
        return int(value)
    except ValueError:
        raise InvalidArgument(f"invalid gw-priority ({value}): invalid syntax") from None


def endpoints(options: ContainerOptions) -> tuple[str, dict[str, Any]]:
    """The network mode, and the settings of each endpoint, from all flags that speak of networks.

    The flags without a network's name (--ip, --network-alias, …) are for the first one.
    """
    networks: list[dict[str, Any]] = [dict(each) for each in options.network]
    if not networks:
        first = _with_flags({"name": DEFAULT}, options)
        return DEFAULT, {DEFAULT: _endpoint(first)}
    if not networks[0].get("name"):
        raise InvalidArgument("no name set for network")
    networks[0] = _with_flags(networks[0], options)
    found: dict[str, Any] = {}
    for network in networks:
        name = network["name"]
        if name in found:
            raise InvalidArgument(f'network "{name}" is specified multiple times')
        found[name] = _endpoint(network)
    if len({_is_user_defined(network["name"]) for network in networks}) > 1:
        raise InvalidArgument(
            "conflicting options: cannot attach both user-defined and non-user-defined "
            "network-modes"
        )
    mode: str = networks[0]["name"]
    if len(networks) == 1 and not found[mode]:
        found = {}  # nothing special: the engine makes the endpoint by itself
    return mode, found


def _is_user_defined(name: str) -> bool:
    return name not in BUILT_IN and not name.startswith("container:")


def _with_flags(network: dict[str, Any], options: ContainerOptions) -> dict[str, Any]:
    """The network with what the flags of their own say. Raises where both say something."""
    flags = (
        ("alias", list(options.network_alias), "--network-alias and per-network alias"),
        ("ip", options.ip, "--ip and per-network IPv4 address"),
        ("ip6", options.ip6, "--ip6 and per-network IPv6 address"),
        ("mac-address", options.mac_address, "--mac-address and per-network MAC address"),
        ("link-local-ip", list(options.link_local_ip), "--link-local-ip and per-network address"),
    )  # fmt: skip
    network = dict(network)
    for key, value, both in flags:
        if not value:
            continue
        if network.get(key):
            raise InvalidArgument(f"conflicting options: cannot specify both {both}")
        network[key] = value
    if options.link and _is_user_defined(network["name"]):
        network["links"] = list(options.link)
    return network


def _endpoint(network: dict[str, Any]) -> dict[str, Any]:
    aliases = network.get("alias")
    if aliases and not _is_user_defined(network["name"]):
        raise InvalidArgument("network-scoped aliases are only supported for user-defined networks")
    mac = network.get("mac-address", "")
    if mac and not _MAC.fullmatch(mac.strip()):
        raise InvalidArgument(f"{mac} is not a valid mac address")
    ipam = {
        "IPv4Address": network.get("ip"),
        "IPv6Address": network.get("ip6"),
        "LinkLocalIPs": network.get("link-local-ip"),
    }
    endpoint = {
        "IPAMConfig": {key: value for key, value in ipam.items() if value},
        "Links": network.get("links"),
        "Aliases": aliases,
        "MacAddress": mac,
        "DriverOpts": network.get("driver-opt"),
        "GwPriority": network.get("gw-priority"),
    }
    return {key: value for key, value in endpoint.items() if value}
