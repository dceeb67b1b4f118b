"""Networks that the service joins, and what it is called there."""

from typing import Any, Final

from knarr.compose.attribute import Attribute, Scene, host_config
from knarr.compose.attribute import config as with_config
from knarr.compose.shape import Either, Fields, Integer, ListOf, MapOf, Nullable, Options, Text
from knarr.compose.shape.collection import NAME_PATTERN, by_text
from knarr.errors import InvalidArgument, Unsupported
from knarr.spec.docker.container import (
    ContainerCreate,
    EndpointIPAMConfig,
    EndpointSettings,
    NetworkingConfig,
)

_INTERFACE_NAME: Final = "com.docker.network.endpoint.ifname"
_API_SEVERAL_ENDPOINTS: Final = (1, 44)  # an engine that takes all endpoints at creation
_API_INTERFACE_NAME: Final = (1, 49)


def apply(networks: Any, body: ContainerCreate, scene: Scene) -> ContainerCreate:
    """The first by priority is the container's mode; older engines connect the rest later."""
    order = scene.service.networks_by_priority
    if "network_mode" in scene.service.values or not order:
        return body
    names = {key: str(scene.project.networks[key].get("name", key)) for key in order}
    several = scene.api >= _API_SEVERAL_ENDPOINTS
    wanted = order if several else order[:1]
    endpoints = {names[key]: endpoint(key, networks[key] or {}, scene) for key in wanted}
    body = host_config(body, network_mode=names[order[0]])
    body = with_config(body, networking_config=NetworkingConfig(endpoints_config=endpoints))
    if several:
        return body
    addresses = {(networks[key] or {}).get("mac_address") for key in order} - {None}
    if len(addresses) > 1:
        raise Unsupported("a MAC address for each of several networks needs Docker Engine v25")
    return body


def endpoint(key: str, settings: dict[str, Any], scene: Scene) -> EndpointSettings:
    """How the container appears on one network."""
    return EndpointSettings(
        aliases=aliases(settings, scene),
        links=scene.links,
        ipam_config=_ipam(settings) if settings else None,
        mac_address=_mac_address(key, settings, scene),
        driver_opts=_driver_options(settings, scene) or None,
        gw_priority=settings.get("gw_priority", 0),
    )


def aliases(settings: dict[str, Any], scene: Scene) -> tuple[str, ...]:
    if not scene.service_aliases:
        return (scene.name,)
    return (scene.name, scene.service.name, *settings.get("aliases", ()))


def _ipam(settings: dict[str, Any]) -> EndpointIPAMConfig:
    return EndpointIPAMConfig(
        ipv4_address=settings.get("ipv4_address", ""),
        ipv6_address=settings.get("ipv6_address", ""),
        link_local_ips=tuple(settings.get("link_local_ips", ())),
    )


def _mac_address(key: str, settings: dict[str, Any], scene: Scene) -> str:
    own, service_wide = settings.get("mac_address", ""), scene.service.get("mac_address", "")
    if key != scene.service.networks_by_priority[0]:
        return str(own)
    if own and service_wide and own != service_wide:
        raise InvalidArgument(
            f"the service-level mac_address should have the same value as network {key}"
        )
    return str(own or service_wide)


def _driver_options(settings: dict[str, Any], scene: Scene) -> dict[str, str]:
    options = dict(settings.get("driver_opts", {}))
    if name := settings.get("interface_name"):
        if scene.api < _API_INTERFACE_NAME:
            raise Unsupported("interface_name requires Docker Engine v28.1 or later")
        options.setdefault(_INTERFACE_NAME, name)
    return options


NETWORKS = Attribute(
    name="networks",
    shape=Either(
        ListOf(Text(), unique=True),
        lambda names, _: dict.fromkeys(names),
        MapOf(
            Nullable(
                Fields(
                    {
                        "aliases": ListOf(Text(), key=by_text, unique=True),
                        "driver_opts": Options(),
                        "gw_priority": Integer(fractions=True, digits=False),
                        "interface_name": Text(),
                        "ipv4_address": Text(),
                        "ipv6_address": Text(),
                        "link_local_ips": ListOf(Text(), key=by_text, unique=True),
                        "mac_address": Text(),
                        "priority": Integer(fractions=True, digits=False),
                    }
                ),
                kept=True,
            ),
            pattern=NAME_PATTERN,
        ),
        complaint="must be a array",
    ),
    apply=apply,
    source="Compose Specification, services, networks",
)
