"""From a request to a container at rest: completed from the image, checked, its mounts found."""

import asyncio
import dataclasses
import os
import time
from collections.abc import Sequence
from contextlib import ExitStack
from typing import Final

from msgspec.structs import replace

from knarr.container import rows
from knarr.container.documents import event_attributes
from knarr.container.links import Link
from knarr.container.logs.options import check_fit, checked_log
from knarr.container.machine import Machine
from knarr.container.merge import merged
from knarr.container.model import Container
from knarr.container.mounting import Mounter
from knarr.container.mounts import parse_volumes_from, requested_mounts
from knarr.container.names import made_up_name
from knarr.container.namespaces import joined_container
from knarr.container.registry import ContainerRegistry
from knarr.container.remap import Remap, remap_for
from knarr.container.settings import Defaults, checked_config, checked_host, completed
from knarr.errors import InvalidArgument, NotFound
from knarr.events import Event
from knarr.ids import ContainerId, new_container_id, short
from knarr.image import Image, ImageService
from knarr.network import NetworkService, endpoint_requests, network_mode, port_requests
from knarr.runtime import Runtimes
from knarr.snapshot import ContainerLayers, wanted_size
from knarr.spec.docker.container import (
    ContainerConfig,
    ContainerCreate,
    EndpointSettings,
    HostConfig,
)
from knarr.spec.oci.platform import parse_platform, platform_of, platform_text, suits
from knarr.spec.record import ContainerRecord, MountPlan
from knarr.store import Database

_CONFIG_FIELDS: Final = ContainerConfig.__struct_fields__


class Creator:
    """Makes containers, and renames them."""

    def __init__(
        self,
        *,
        db: Database,
        registry: ContainerRegistry,
        images: ImageService,
        layers: ContainerLayers,
        networks: NetworkService,
        mounter: Mounter,
        machine: Machine,
        defaults: Defaults,
        runtimes: Runtimes,
        remap: Remap | None = None,
    ) -> None:
        self._db = db
        self._registry = registry
        self._images = images
        self._layers = layers
        self._networks = networks
        self._mounter = mounter
        self._machine = machine
        self._defaults = defaults
        self._runtimes = runtimes
        self._remap = remap

    def _check_links(self, host: HostConfig) -> None:
        """Raises InvalidArgument in Docker's words for a link to what is not there."""
        for link in map(Link.parse, host.links):
            try:
                self._registry.find(link.target)
            except NotFound as error:
                raise InvalidArgument(
                    f"could not get container for {link.target}: {error}"
                ) from error

    async def create(
        self, body: ContainerCreate, name: str, platform: str
    ) -> tuple[Container, tuple[str, ...]]:
        """The container, recorded and told of, and warnings for whoever asked.

        Raises NotFound without the image, InvalidArgument, Conflict and Unsupported in Docker's
        words; then nothing is left behind.
        """
        if not body.image:
            raise InvalidArgument("no image was given: name one in Image")
        image = self._image(body.image, platform)
        container_id = new_container_id()
        config = self._config(body, image, container_id)
        wanted = body.host_config or HostConfig()
        if body.runtime and not wanted.runtime:
            wanted = replace(wanted, runtime=body.runtime)
        if body.network_disabled:
            wanted = replace(wanted, network_mode="none")
        # Against what the client said, not what the image adds: EXPOSE is no conflict.
        possible, warnings = checked_host(wanted, body, self._machine)
        host = completed(possible, self._machine, self._defaults)
        remap_for(host, self._remap)
        self._runtimes.named(host.runtime or "")
        if host.log_config is not None:
            warnings += checked_log(host.log_config)
        self._networks.check(endpoint_requests(host, body.networking_config))
        ports = port_requests(config, host)
        self._check_links(host)
        others = {
            parse_volumes_from(text)[0]: self._lender(text).record.mounts
            for text in host.volumes_from
        }
        mounts = requested_mounts(config, host, others=others, path_exists=os.path.exists)
        container = Container(
            id=container_id,
            name=name or made_up_name(self._registry.is_taken),
            image=image.id,
            created_ns=time.time_ns(),
            record=ContainerRecord(
                config=config,
                host=host,
                image_name=body.image,
                diff_ids=image.diff_ids,
                networks=_networks(body, host),
            ),
        )
        self._check_neighbours(host)
        check_fit(container)
        if ports and network_mode(host) not in {"host", "none"}:
            warnings = (*warnings, *await self._networks.port_warnings(ports))
        return await self._made(container, image, mounts), warnings

    def _image(self, ref: str, platform: str) -> Image:
        """Of several platforms the one that is asked for. Raises NotFound, as Docker does."""
        first = self._images.resolve(ref)
        if not platform:
            return first
        wanted = parse_platform(platform)
        found = self._images.find(ref, wanted)
        if found is None or suits(wanted, platform_of(found.document)) is None:
            raise NotFound(
                f"image with reference {ref} was found but does not provide the specified"
                f" platform ({platform}); it is for {platform_text(platform_of(first.document))}"
            )
        return found

    def _config(
        self, body: ContainerCreate, image: Image, container_id: ContainerId
    ) -> ContainerConfig:
        asked = ContainerConfig(**{name: getattr(body, name) for name in _CONFIG_FIELDS})
        config = checked_config(merged(asked, image.config))
        host = body.host_config or HostConfig()
        if config.hostname:
            return config
        if host.network_mode == "host" or host.uts_mode == "host":
            return replace(config, hostname=os.uname().nodename)
        if joined_container(host.network_mode) is not None:
            return config
        return replace(config, hostname=short(container_id))

    def _lender(self, text: str) -> Container:
        return self._other(parse_volumes_from(text)[0])

    def _check_neighbours(self, host: HostConfig) -> None:
        """Containers whose namespaces are joined must be there."""
        for mode in (host.network_mode, host.pid_mode, host.ipc_mode):
            if other := joined_container(mode):
                self._other(other)

    def _other(self, ref: str) -> Container:
        """Another container. Not NotFound: for clients that is a missing image, to be pulled."""
        try:
            return self._registry.find(ref)
        except NotFound as error:
            raise InvalidArgument(str(error)) from error

    async def _made(
        self, container: Container, image: Image, mounts: Sequence[MountPlan]
    ) -> Container:
        """Volumes found or made, the writable layer prepared, the row written."""
        with ExitStack() as undo:
            self._layers.prepare(container.id, image.diff_ids)
            undo.callback(self._layers.remove, container.id)
            if size := wanted_size(container.record.host.storage_opt):
                await asyncio.to_thread(self._layers.bound, container.id, size)
            settled = self._mounter.settle(container.id, tuple(mounts), undo)
            record = replace(container.record, mounts=settled)
            container = dataclasses.replace(container, record=record)
            with self._db.transaction() as tx:
                rows.insert(tx, container)
                tx.emit(
                    Event(
                        type="container",
                        action="create",
                        actor=container.id,
                        attributes=event_attributes(container),
                    )
                )
            self._registry.put(container)
            undo.pop_all()
        return container

    def renamed(self, before: Container, name: str) -> Container:
        return dataclasses.replace(before, name=name)


def _networks(body: ContainerCreate, host: HostConfig) -> dict[str, EndpointSettings]:
    """What the client said of each network, by the name that it used."""
    given = dict(body.networking_config.endpoints_config) if body.networking_config else {}
    if body.mac_address:
        first = given.get(host.network_mode, EndpointSettings())
        given[host.network_mode] = replace(first, mac_address=body.mac_address)
    return given
