"""A project in the engine's words: the requests that create its containers, networks, volumes."""

from collections.abc import Mapping
from typing import Any, Final

from knarr.compose import labels, namespace
from knarr.compose.attribute import Scene, config, host, host_config
from knarr.compose.attributes import attribute, volumes_from
from knarr.compose.model import ORDER
from knarr.compose.mounting import has_target, with_mount
from knarr.compose.project import Project, Resource, Service
from knarr.compose.rendering import network_hash, service_hash, volume_hash
from knarr.spec.docker.container import ContainerCreate, HostConfig, Mount
from knarr.spec.docker.network import IPAM, IPAMConfig, NetworkCreate
from knarr.spec.docker.volume import VolumeCreate

# What deploy says of limits and restarts has the last word over the service's own attributes.
_LAST: Final = "deploy"


def container_body(
    scene: Scene, *, own_labels: Mapping[str, str], separator: str = "-"
) -> ContainerCreate:
    """The request that creates one container of a service.

    own_labels: Compose's labels, from ``container_labels``.
    """
    service = scene.service
    body = ContainerCreate(
        attach_stdout=True,
        attach_stderr=True,
        image=service.image_name(scene.project.name, separator),
        labels=dict(own_labels),
        host_config=HostConfig(oom_kill_disable=False, links=scene.links),
    )
    for name in (*(each for each in ORDER if each != _LAST), _LAST):
        value = service.get(name)
        if value is not None:
            body = attribute(name).apply(value, body, scene)
    body = _with_inherited_volumes(body, scene)
    if not service.get("network_mode") and not service.get("networks"):
        body = host_config(body, network_mode="none")
    return config(body, labels=dict(sorted(body.labels.items())))


def _with_inherited_volumes(body: ContainerCreate, scene: Scene) -> ContainerCreate:
    """Volumes that the image declares, kept from the container before."""
    for target, name in scene.inherited.items():
        if not has_target(body, target) and target not in host(body).tmpfs:
            body = with_mount(Mount(type="volume", source=name, target=target), body)
    return body


def project_labels(
    project: Project, service: str, *, env_files: tuple[str, ...] = ()
) -> dict[str, str]:
    """The labels that all containers of a service have in common."""
    common = {
        labels.PROJECT: project.name,
        labels.SERVICE: service,
        labels.VERSION: labels.COMPOSE_VERSION,
        labels.WORKING_DIR: project.directory,
        labels.CONFIG_FILES: ",".join(project.files),
        labels.ONE_OFF: labels.NO,
    }
    if env_files:
        common[labels.ENVIRONMENT_FILE] = ",".join(env_files)
    return common


def container_labels(
    common: Mapping[str, str], service: Service, *, number: int, image_id: str
) -> dict[str, str]:
    """The labels of one container; ``service`` is resolved, since its hash is among them."""
    own = {
        **common,
        labels.CONFIG_HASH: service_hash(service),
        labels.DEPENDS_ON: ",".join(
            f"{name}:{each.condition}:{str(each.restart).lower()}"
            for name, each in sorted(service.dependencies.items())
        ),
    }
    if number > 0:
        own[labels.NUMBER] = str(number)
    if image_id:
        own[labels.IMAGE] = image_id
    return own


def with_containers(service: Service, containers: Mapping[str, str]) -> Service:
    """The service with containers where it names services; the config hash is made of this."""
    changes: dict[str, Any] = {}
    for kind in ("network_mode", "ipc", "pid"):
        shared = namespace.service_in(service.get(kind) or "")
        if shared is not None and shared in containers:
            changes[kind] = namespace.CONTAINER + containers[shared]
    entries = service.get("volumes_from", [])
    if entries:
        changes["volumes_from"] = [_source(entry, containers) for entry in entries]
    return service.with_values(**changes) if changes else service


def _source(entry: str, containers: Mapping[str, str]) -> str:
    source = volumes_from.service_in(entry)
    if source is None:
        return entry.split(":")[1]
    return containers.get(source, source)


def shared_services(service: Service) -> list[str]:
    """The services whose containers this one's share something with."""
    modes = [service.get(attribute) or "" for attribute in ("network_mode", "ipc", "pid")]
    named = [namespace.service_in(mode) for mode in modes]
    named += [volumes_from.service_in(entry) for entry in service.get("volumes_from", [])]
    return [name for name in dict.fromkeys(named) if name is not None]


def network_body(project: Project, key: str) -> NetworkCreate:
    network = project.networks[key]
    own = {
        labels.NETWORK: key,
        labels.PROJECT: project.name,
        labels.VERSION: labels.COMPOSE_VERSION,
        labels.CONFIG_HASH: network_hash(network),
    }
    return NetworkCreate(
        name=network["name"],
        driver=network.get("driver", ""),
        options=network.get("driver_opts", {}),
        internal=network.get("internal", False),
        attachable=network.get("attachable", False),
        ipam=_ipam(network.get("ipam") or {}),
        enable_ipv4=network.get("enable_ipv4"),
        enable_ipv6=network.get("enable_ipv6"),
        labels={**network.get("labels", {}), **own},
    )


def _ipam(declared: Mapping[str, Any]) -> IPAM | None:
    pools = declared.get("config", ())
    if not pools and not declared.get("driver"):
        return None
    return IPAM(
        driver=declared.get("driver", ""),
        options=declared.get("options", {}),
        config=tuple(
            IPAMConfig(
                subnet=pool.get("subnet", ""),
                ip_range=pool.get("ip_range", ""),
                gateway=pool.get("gateway", ""),
                auxiliary_addresses=pool.get("aux_addresses", {}),
            )
            for pool in pools
        ),
    )


def volume_body(project: Project, key: str) -> VolumeCreate:
    volume = project.volumes[key]
    own = {
        labels.VOLUME: key,
        labels.PROJECT: project.name,
        labels.VERSION: labels.COMPOSE_VERSION,
        labels.CONFIG_HASH: volume_hash(volume),
    }
    return VolumeCreate(
        name=volume["name"],
        driver=volume.get("driver", ""),
        driver_opts=volume.get("driver_opts", {}),
        labels={**volume.get("labels", {}), **own},
    )


def is_external(resource: Resource) -> bool:
    return bool(resource.get("external"))
