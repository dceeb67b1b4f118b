"""Subnets with what belongs to each: ranges, gateways, reserved addresses.

Source: Docker CLI reference, "network create".
"""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping, Sequence

from knarr.client.lean import Any
from knarr.errors import InvalidArgument


def ipam_config(
    subnets: Sequence[str],
    ranges: Sequence[str],
    gateways: Sequence[str],
    reserved: Mapping[str, str],
) -> list[dict[str, Any]]:
    """One IPAMConfig for each subnet. Raises InvalidArgument in Docker's words."""
    subnets = [word for each in subnets for word in each.split(",")]
    ranges = [word for each in ranges for word in each.split(",")]
    gateways = [word for each in gateways for word in each.split(",")]
    if len(subnets) < len(ranges) or len(subnets) < len(gateways):
        raise InvalidArgument("every ip-range or gateway must have a corresponding subnet")
    found: dict[str, dict[str, Any]] = {}
    for subnet in subnets:
        for other in found:
            if _overlap(subnet, other):
                raise InvalidArgument("multiple overlapping subnet configuration is not supported")
        found[subnet] = {"Subnet": subnet}
    for text in ranges:
        if _network(text) is None or "/" not in text:
            raise InvalidArgument(f"invalid CIDR address: {text}")
        _put(found, text, "IPRange", "range")
    for text in gateways:
        _put(found, text, "Gateway", "gateway")
    for name, text in reserved.items():
        config = _matching(found, text)
        if config is None:
            raise InvalidArgument(f"no matching subnet for aux-address {text}")
        config.setdefault("AuxiliaryAddresses", {})[name] = text
    return list(found.values())


def _put(found: dict[str, dict[str, Any]], text: str, key: str, word: str) -> None:
    config = _matching(found, text.partition("/")[0] if key == "IPRange" else text)
    if config is None:
        raise InvalidArgument(f"no matching subnet for {word} {text}")
    if key in config:
        raise InvalidArgument(
            f"cannot configure multiple {word}s ({text}, {config[key]}) on the same subnet "
            f"({config['Subnet']})"
        )
    config[key] = text


def _matching(found: dict[str, dict[str, Any]], address: str) -> dict[str, Any] | None:
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        return None
    for subnet, config in found.items():
        network = _network(subnet)
        if network is not None and ip.version == network.version and ip in network:
            return config
    return None


def _network(text: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network | None:
    """None where the text is no subnet: the engine says so in its own words."""
    try:
        return ipaddress.ip_network(text, strict=False)
    except ValueError:
        return None


def _overlap(one: str, other: str) -> bool:
    first, second = _network(one), _network(other)
    return (
        first is not None
        and second is not None
        and first.version == second.version
        and first.overlaps(second)
    )
