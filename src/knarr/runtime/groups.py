"""What a container's control group can do. No program is run for it, nor is the keeper asked."""

import asyncio
from collections.abc import AsyncGenerator
from typing import Final

from knarr.errors import KnarrError, NotFound
from knarr.kernel.cgroups import Cgroup, Layout, Usage
from knarr.runtime.bundle import limits_of
from knarr.runtime.oom import shortages
from knarr.spec.oci.runtime import Resources

_FREEZE_STEP_SECONDS: Final = 0.001
_FREEZE_STEPS: Final = 5000


class Groups:
    """The groups of what runs, by container."""

    def __init__(self) -> None:
        self.layout = Layout.of_this_machine()
        self._groups: dict[str, str] = {}

    async def pause(self, container_id: str) -> None:
        """Freeze all processes; returns when they stand still. Raises NotFound without a group."""
        group = self._group(container_id)
        try:
            group.freeze()
            for _ in range(_FREEZE_STEPS):
                if group.frozen():
                    return
                await asyncio.sleep(_FREEZE_STEP_SECONDS)
            group.thaw()
        except FileNotFoundError as error:
            raise NotFound(f"container {container_id} is not running") from error
        raise KnarrError(f"container {container_id} did not come to a standstill")

    async def resume(self, container_id: str) -> None:
        try:
            self._group(container_id).thaw()
        except FileNotFoundError as error:
            raise NotFound(f"container {container_id} is not running") from error

    def usage(self, container_id: str) -> Usage:
        """What the container has used so far. Raises NotFound when it is not running."""
        try:
            return self._group(container_id).usage()
        except FileNotFoundError as error:
            raise NotFound(f"container {container_id} is not running") from error

    def shortages(self, container_id: str) -> AsyncGenerator[None, None]:
        """Yields whenever it runs out of memory, until it has ended. Raises NotFound."""
        return shortages(self._group(container_id))

    def processes(self, container_id: str) -> tuple[int, ...]:
        """The PIDs, as the host sees them, of all that runs in the container."""
        try:
            return self._group(container_id).processes()
        except FileNotFoundError as error:
            raise NotFound(f"container {container_id} is not running") from error

    def update(self, container_id: str, resources: Resources) -> None:
        """Hold a running container to other limits. Raises KnarrError when one is refused."""
        group = self._group(container_id)
        try:
            group.apply(group.writes(limits_of(resources)))
        except OSError as error:
            raise KnarrError(f"Cannot update container {container_id}: {error}") from error

    def _group(self, container_id: str) -> Cgroup:
        if not (path := self._groups.get(container_id)):
            raise NotFound(f"container {container_id} is not running")
        return self.layout.cgroup(path)
