"""What a container's configuration asks of networks: which ones, which ports. Pure.

Source: Engine API, ContainerCreate: HostConfig.NetworkMode, PortBindings; NetworkingConfig.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Final

from knarr.errors import Conflict, InvalidArgument
from knarr.network.model import EndpointRequest, PortRequest
from knarr.spec.docker.container import (
    ContainerConfig,
    EndpointSettings,
    HostConfig,
    NetworkingConfig,
    PortBinding,
)

_PROTOCOLS: Final = ("tcp", "udp", "sctp")
_RANGE: Final = re.compile(r"(\d{1,5})(?:-(\d{1,5}))?")
_CONTAINER: Final = "container:"


def network_mode(host: HostConfig) -> str:
    """``bridge`` where nothing was said."""
    return "bridge" if host.network_mode in {"", "default"} else host.network_mode


def shared_container(host: HostConfig) -> str:
    """The container whose namespace is shared (``container:REF``); empty when none is."""
    mode = network_mode(host)
    return mode.removeprefix(_CONTAINER) if mode.startswith(_CONTAINER) else ""


def endpoint_requests(
    host: HostConfig, networking: NetworkingConfig | None
) -> tuple[EndpointRequest, ...]:
    """One for each network to be on, the mode's first. Nothing for ``container:``."""
    mode = network_mode(host)
    wanted = dict(networking.endpoints_config) if networking else {}
    if mode.startswith(_CONTAINER):
        if wanted:
            raise Conflict(_MIXED)
        return ()
    if "default" in wanted:
        wanted.setdefault("bridge", wanted.pop("default"))
    first = wanted.pop(mode, None) or EndpointSettings()
    if mode in {"host", "none"} and wanted:
        raise InvalidArgument(_MIXED)
    others = (EndpointRequest(network=name, settings=given) for name, given in wanted.items())
    return (EndpointRequest(network=mode, settings=first), *others)


_MIXED: Final = (
    "conflicting options: cannot attach both user-defined and non-user-defined network-modes"
)


def port_requests(config: ContainerConfig, host: HostConfig) -> tuple[PortRequest, ...]:
    """The ports to publish. Raises InvalidArgument for what is no port."""
    requests = [
        _request(*container_port(key), binding)
        for key, bindings in host.port_bindings.items()
        for binding in bindings or ((PortBinding(),) if bindings is not None else ())
    ]
    if host.publish_all_ports:
        bound = {request.key for request in requests}
        exposed = (container_port(key) for key in config.exposed_ports or {})
        requests += [
            PortRequest(container_port=port, protocol=protocol)
            for port, protocol in exposed
            if f"{port}/{protocol}" not in bound
        ]
    return tuple(requests)


def container_port(key: str) -> tuple[int, str]:
    """(80, "tcp") of ``80/tcp``, ``80``."""
    number, _, protocol = key.partition("/")
    protocol = protocol.lower() or "tcp"
    if protocol not in _PROTOCOLS:
        raise InvalidArgument(f"invalid proto: {protocol}")
    if not number.isdecimal() or not 0 < int(number) < 65536:
        raise InvalidArgument(f'invalid port specification: "{key}"')
    return int(number), protocol


def _request(port: int, protocol: str, binding: PortBinding) -> PortRequest:
    first, last = _host_ports(binding.host_port)
    return PortRequest(
        container_port=port, protocol=protocol, host_ip=binding.host_ip, first=first, last=last
    )


def _host_ports(text: str) -> tuple[int, int]:
    if text in {"", "0"}:
        return 0, 0
    match = _RANGE.fullmatch(text)
    first = int(match[1]) if match else 0
    last = int(match[2] or match[1]) if match else 0
    if not 0 < first <= last < 65536:
        raise InvalidArgument(f'invalid port specification: "{text}"')
    return first, last


def ports_shown(
    config: ContainerConfig, published: Mapping[str, tuple[PortBinding, ...]]
) -> dict[str, tuple[PortBinding, ...] | None]:
    """Inspect's NetworkSettings.Ports: exposed ports that are not published show null."""
    shown: dict[str, tuple[PortBinding, ...] | None] = {}
    for key in _ordered({*(config.exposed_ports or {}), *published}):
        shown[key] = published.get(key)
    return shown


def _ordered(keys: Iterable[str]) -> list[str]:
    return sorted(keys, key=lambda key: (int(key.partition("/")[0]), key))
