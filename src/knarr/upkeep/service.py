"""The upkeep of one engine's store: what is asked for, and what goes on by itself."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from knarr.later import Later
from knarr.upkeep.pressure import Pressure
from knarr.upkeep.syncing import Syncer

if TYPE_CHECKING:
    from knarr.upkeep.converting import Converter
    from knarr.upkeep.fsck import Check
    from knarr.upkeep.survey import Holders

_log = logging.getLogger("knarr.upkeep")


@dataclass(frozen=True, slots=True, kw_only=True)
class Upkeep:
    """What the API calls, and two tasks that never end."""

    checking: Later[Check]
    converting: Later[Converter]
    syncer: Syncer
    pressure: Pressure
    holders: Holders

    @property
    def check(self) -> Check:
        return self.checking()

    @property
    def converter(self) -> Converter:
        return self.converting()

    async def after_boot(self) -> None:
        """At start: what a power cut may have spoiled is read again, and put right."""
        blobs, layers = self.syncer.doubtful()
        if blobs or layers:
            _log.warning("the machine went down early: reading %d blobs and %d layers again",
                         len(blobs), len(layers))  # fmt: skip
            for each in await self.check.only(blobs, layers):
                _log.warning("%s: %s: %s", each.subject, each.problem, each.outcome)

    @contextmanager
    def going_on(self, tasks: asyncio.TaskGroup) -> Iterator[None]:
        """For the length of a block."""
        running = [tasks.create_task(each) for each in (self.syncer.run(), self.pressure.run())]
        try:
            yield
        finally:
            for task in running:
                task.cancel()
