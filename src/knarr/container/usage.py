"""Statistics of a running container, read from the kernel once a second."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from pathlib import Path
from typing import Final

from knarr.container.machine import Machine
from knarr.container.model import Container
from knarr.container.namespaces import is_own
from knarr.container.stats import Reading, parse_networks, parse_system, stats, stopped
from knarr.errors import NotFound
from knarr.runtime import Keeper
from knarr.spec.docker.stats import ContainerNetworkStats, ContainerStats
from knarr.times import rfc3339

_PERIOD_SECONDS: Final = 1.0


class UsageReader:
    """Reads what containers use; holds nothing between two readings."""

    def __init__(self, keeper: Keeper, machine: Machine) -> None:
        self._keeper = keeper
        self._machine = machine

    async def follow(self, find: Callable[[], Container]) -> AsyncIterator[ContainerStats]:
        """One document a second, for ever: zeroes while the container does not run.

        find: the container as it is now; raises NotFound once it is gone, which ends the stream.
        """
        before: Reading | None = None
        while True:
            with suppress(NotFound):
                container = find()
                now = self._reading(container)
                yield self._document(container, now, before)
                before = now
                await asyncio.sleep(_PERIOD_SECONDS)
                continue
            return

    async def once(self, container: Container, *, one_shot: bool) -> ContainerStats:
        """One document; with two readings a second apart, unless ``one_shot``."""
        before: Reading | None = None
        if not one_shot:
            before = self._reading(container)
            if before is not None:
                await asyncio.sleep(_PERIOD_SECONDS)
        return self._document(container, self._reading(container), before)

    def _document(
        self, container: Container, now: Reading | None, before: Reading | None
    ) -> ContainerStats:
        if now is None:
            return stopped(container.id, container.name)
        return stats(
            container.id,
            container.name,
            now,
            before,
            cgroup_version=self._machine.cgroup_version,
            machine_memory_bytes=self._machine.memory_bytes,
        )

    def _reading(self, container: Container) -> Reading | None:
        """None when it does not run."""
        if not container.alive:
            return None
        try:
            usage = self._keeper.usage(container.id)
        except NotFound:
            return None
        return Reading(
            time=rfc3339(time.time_ns()),
            usage=usage,
            system=parse_system(Path("/proc/stat").read_text()),
            networks=_networks(container),
        )


def _networks(container: Container) -> dict[str, ContainerNetworkStats]:
    if not is_own(container.record.host.network_mode):
        return {}
    try:
        return parse_networks(Path(f"/proc/{container.state.pid}/net/dev").read_text())
    except OSError:
        return {}  # it ended this moment
