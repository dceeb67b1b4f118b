"""How ports are written: ``-p [IP:][HOST:]CONTAINER[/PROTOCOL]`` and ``--expose``.

Source: Docker CLI reference, "container run", --publish and --expose.
"""

from __future__ import annotations

from knarr.cli.create.fields import csv_fields
from knarr.client.lean import TYPE_CHECKING
from knarr.errors import InvalidArgument

if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

    Binding = dict[str, str]

PROTOCOLS = ("tcp", "udp", "sctp")
PORT_END = 65536


def published(specs: Iterable[str]) -> dict[str, list[Binding]]:
    """``-p``: what of the host leads to each port, ``{"80/tcp": [{"HostIp", "HostPort"}]}``."""
    bindings: dict[str, list[Binding]] = {}
    for spec in specs:
        for port, binding in _bindings(_short(spec)):
            bindings.setdefault(port, []).append(binding)
    return bindings


def exposed(specs: Iterable[str]) -> dict[str, Any]:
    """``--expose``: ports and ranges of ports, ``{"80/tcp": {}}``."""
    ports: dict[str, Any] = {}
    for spec in specs:
        if ":" in spec:
            raise InvalidArgument(f"invalid port format for --expose: {spec}")
        numbers, _, protocol = spec.partition("/")
        try:
            first, last = _range(numbers)
        except InvalidArgument as error:
            raise InvalidArgument(
                f"invalid range format for --expose: {spec}, error: {error}"
            ) from error
        for port in range(first, last + 1):
            ports[f"{port}/{protocol or 'tcp'}"] = {}
    return ports


def _short(spec: str) -> str:
    """``target=80,published=8080,protocol=udp`` in the short notation; others as they are."""
    if "=" not in spec:
        return spec
    words = dict.fromkeys(("target", "published", "protocol"), "")
    for field in csv_fields(spec):
        key, _, value = field.partition("=")
        words[key] = value
    protocol = words["protocol"] or "tcp"
    if not words["target"]:
        return f"{words['published']}:/{protocol}"
    return f"{words['published']}:{words['target']}/{protocol}"


def _bindings(spec: str) -> list[tuple[str, Binding]]:
    address, host, inside = _parts(spec)
    inside, _, protocol = inside.partition("/")
    protocol = protocol.partition("/")[0].lower() or "tcp"
    if not inside:
        raise InvalidArgument(f"no port specified: {spec}<empty>")
    first, last = _checked(inside, "containerPort")
    host_first, host_last = _checked(host, "hostPort") if host else (0, 0)
    if host and host_last - host_first != last - first:
        if first != last:
            raise InvalidArgument(
                f"invalid ranges specified for container and host Ports: {inside} and {host}"
            )
        host_text = f"{host_first}-{host_last}"  # any free one of these
    else:
        host_text = ""
    if protocol not in PROTOCOLS:
        raise InvalidArgument(f"invalid proto: {protocol}")
    found = []
    for offset in range(last - first + 1):
        port = host_text or (str(host_first + offset) if host else "")
        found.append((f"{first + offset}/{protocol}", {"HostIp": address, "HostPort": port}))
    return found


def _parts(spec: str) -> tuple[str, str, str]:
    """(IP, host's ports, container's ports with protocol)"""
    head, _, inside = spec.rpartition(":")
    if not head:
        return "", "", inside
    address, colon, host = head.rpartition(":")
    if not colon:
        return "", host, inside
    if address.startswith("["):
        if not address.endswith("]"):
            raise InvalidArgument(
                f"invalid IP address {address}: address {address}:: missing ']' in address"
            )
        address = address[1:-1]
    if address and not _is_address(address):
        raise InvalidArgument(f"invalid IP address: {address}")
    return address, host, inside


def _is_address(text: str) -> bool:
    import _socket

    family = _socket.AF_INET6 if ":" in text else _socket.AF_INET
    try:
        _socket.inet_pton(family, text.partition("%")[0])
    except OSError:
        return False
    return True


def _checked(text: str, name: str) -> tuple[int, int]:
    try:
        return _range(text)
    except InvalidArgument:
        raise InvalidArgument(f"invalid {name}: {text}") from None


def _range(text: str) -> tuple[int, int]:
    if not text:
        raise InvalidArgument("empty string specified for ports")
    first, dash, last = text.partition("-")
    numbers = [_port(first), _port(last)] if dash else [_port(first)] * 2
    if numbers[1] < numbers[0]:
        raise InvalidArgument(f"invalid range specified for port: {text}")
    return numbers[0], numbers[1]


def _port(text: str) -> int:
    if not (text.isdecimal() and text.isascii()):
        raise InvalidArgument(f'strconv.ParseUint: parsing "{text}": invalid syntax')
    if int(text) >= PORT_END:
        raise InvalidArgument(f'strconv.ParseUint: parsing "{text}": value out of range')
    return int(text)
