"""What a container was made of, kept with the one that replaced it: so that there is a way back.

The request that would create the old container again is a label of the new one. Only containers
that were rolled out have it, so that others look as Compose makes them.
"""

import base64
import zlib
from typing import Final

import msgspec

from knarr.compose import labels
from knarr.errors import InvalidArgument, KnarrError
from knarr.spec.docker.container import (
    ContainerCreate,
    ContainerInspect,
    EndpointSettings,
    HostConfig,
    Mount,
    NetworkingConfig,
)
from knarr.spec.document import decode, encode

BEFORE: Final = "io.knarr.compose.before"
_SHORT: Final = 12


def request_for(container: ContainerInspect) -> ContainerCreate:
    """What creates a container like this one: of the same image, with the same volumes.

    Raises KnarrError when the engine did not tell what it is made of.
    """
    config, host = container.config, container.host_config
    if config is None or host is None:
        raise KnarrError(f"the engine does not say what container {container.id[:_SHORT]} is")
    kept = {name: getattr(config, name) for name in config.__struct_fields__}
    if kept["hostname"] == container.id[:_SHORT]:
        kept["hostname"] = ""  # the engine's own choice
    kept["labels"] = {key: value for key, value in config.labels.items() if key != BEFORE}
    return ContainerCreate(
        **kept,
        host_config=_with_volumes(host, container),
        networking_config=_networking(host, container),
    )


def _with_volumes(host: HostConfig, container: ContainerInspect) -> HostConfig:
    """Volumes without a name were made for the old container; the new one goes on with them."""
    named = {each.split(":")[1] for each in host.binds if ":" in each}
    named |= {each.target for each in host.mounts}
    more = tuple(
        Mount(type="volume", source=each.name, target=each.destination)
        for each in container.mounts
        if each.type == "volume" and each.destination not in named
    )
    return msgspec.structs.replace(host, mounts=(*host.mounts, *more))


def _networking(host: HostConfig, container: ContainerInspect) -> NetworkingConfig | None:
    if host.network_mode == "host" or host.network_mode.startswith("container:"):
        return None
    settings = container.network_settings
    found = settings.networks if settings else {}
    return NetworkingConfig(
        endpoints_config={
            name: EndpointSettings(
                ipam_config=each.ipam_config,
                links=each.links,
                aliases=tuple(a for a in each.aliases if a != container.id[:_SHORT]),
                driver_opts=each.driver_opts,
                gw_priority=each.gw_priority,
            )
            for name, each in found.items()
        }
    )


def to_label(request: ContainerCreate) -> str:
    return base64.b64encode(zlib.compress(encode(request))).decode()


def from_label(text: str) -> ContainerCreate:
    """Raises InvalidArgument for what is no such label."""
    try:
        return decode(zlib.decompress(base64.b64decode(text, validate=True)), ContainerCreate)
    except (ValueError, zlib.error) as error:
        raise InvalidArgument(f"the label {BEFORE} holds no container") from error


def image_id(request: ContainerCreate) -> str:
    """Of the image that it ran, which its name may mean no more; empty where nobody wrote it."""
    return request.labels.get(labels.IMAGE, "")
