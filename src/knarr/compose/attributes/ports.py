"""Ports that the host publishes: ``[[IP:]HOST:]CONTAINER[/PROTOCOL]``, ranges too."""

import ipaddress
from typing import Any, Final

from knarr.compose.attribute import Attribute, Scene, config, host, host_config
from knarr.compose.shape import Either, Fields, Integer, ListOf, Place, Text
from knarr.spec.docker.container import ContainerCreate, PortBinding

_PROTOCOLS: Final = ("tcp", "udp", "sctp")
_PORT_MAX: Final = 65_535


def expand(entry: Any, at: Place) -> list[dict[str, Any]]:
    """The long spelling of a short entry: one for each port of a range."""
    if isinstance(entry, dict):
        return [entry]
    rest, _, protocol = entry.partition("/")
    address, published, target = _parts(rest)
    if address and not _is_address(address):
        raise at.unreadable(f"invalid IP address: {address}")
    if not target:
        raise at.unreadable(f"no port specified: {entry}<empty>")
    if (protocol or "tcp").lower() not in _PROTOCOLS:
        raise at.unreadable(f"invalid proto: {protocol}")
    targets = _range(target, "containerPort", at)
    hosts = _published(published, target, targets, at)
    ports = [
        {
            "mode": "ingress",
            **({"host_ip": address} if address else {}),
            "target": port,
            **({"published": host_port} if host_port else {}),
            "protocol": (protocol or "tcp").lower(),
        }
        for port, host_port in zip(targets, hosts, strict=True)
    ]
    return sorted(ports, key=lambda port: str(port["target"]))


def _parts(text: str) -> tuple[str, str, str]:
    """Address, published port and container port; the address may have colons itself."""
    rest, _, target = text.rpartition(":")
    address, _, published = rest.rpartition(":")
    return address.removeprefix("[").removesuffix("]"), published, target


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def _range(text: str, what: str, at: Place) -> range:
    first, dash, last = text.partition("-")
    ports = (first, last if dash else first)
    if not all(port.isascii() and port.isdigit() and int(port) <= _PORT_MAX for port in ports):
        raise at.unreadable(f"invalid {what}: {text}")
    if int(ports[1]) < int(first):
        raise at.unreadable(f"invalid {what}: {text}")
    return range(int(first), int(ports[1]) + 1)


def _published(text: str, target: str, targets: range, at: Place) -> list[str]:
    if not text:
        return [""] * len(targets)
    ports = _range(text, "hostPort", at)
    if len(ports) == len(targets):
        return [str(port) for port in ports]
    if len(targets) == 1:  # any free one of them
        return [f"{ports[0]}-{ports[-1]}"]
    raise at.unreadable(
        f"invalid ranges specified for container and host Ports: {target} and {text}"
    )


def key(entry: Any) -> str:
    """Two entries for the same port on the same address are one."""
    if not isinstance(entry, dict):
        return str(entry)
    address = entry.get("host_ip", "0.0.0.0")  # what absence means
    target, protocol = entry.get("target"), entry.get("protocol", "tcp")
    return f"{address}:{entry.get('published')}:{target}/{protocol}"


def _settle(entry: dict[str, Any], at: Place) -> dict[str, Any]:
    address = entry.get("host_ip")
    if address is not None and not at.is_template(address) and not _is_address(address):
        raise at.unreadable(f"invalid ip address: {address}")
    if "target" not in entry:
        raise at.unreadable("service ports is missing a target port")
    return entry


def apply(ports: Any, body: ContainerCreate, scene: Scene) -> ContainerCreate:  # noqa: ARG001
    exposed: dict[str, dict[str, Any]] = dict(body.exposed_ports or {})
    bindings = dict(host(body).port_bindings)
    for port in ports:
        name = f"{port['target']}/{port.get('protocol', 'tcp')}"
        binding = PortBinding(host_ip=port.get("host_ip", ""), host_port=port.get("published", ""))
        exposed[name] = {}
        bindings[name] = (*(bindings.get(name) or ()), binding)
    return host_config(config(body, exposed_ports=exposed), port_bindings=bindings)


PORTS = Attribute(
    name="ports",
    shape=ListOf(
        Either(
            Text(or_number=True),
            lambda entry, _: str(entry),
            Fields(
                {
                    "name": Text(),
                    "mode": Text(),
                    "host_ip": Text(),
                    "target": Integer(),
                    "published": Text(or_number=True),
                    "protocol": Text(),
                    "app_protocol": Text(),
                },
                defaults={"protocol": "tcp", "mode": "ingress"},
                settle=_settle,
            ),
            complaint="must be a number",
        ),
        key=key,
        expand=expand,
    ),
    apply=apply,
    source="Compose Specification, services, ports",
)
