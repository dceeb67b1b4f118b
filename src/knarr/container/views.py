"""Looking at containers: inspect, list, top, statistics and logs. Nothing here changes one."""

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Sequence
from contextlib import aclosing
from typing import Final

from knarr.container import documents, filters
from knarr.container.documents import Surroundings
from knarr.container.journal import Journal
from knarr.container.launch import Launcher
from knarr.container.machine import Machine
from knarr.container.model import Container, Status
from knarr.container.usage import UsageReader
from knarr.errors import InvalidArgument, NotFound
from knarr.image import ImageService
from knarr.runtime import Keeper
from knarr.runtime.firstwords import first_words
from knarr.runtime.log import Batch, LogQuery, LogReader
from knarr.spec.docker.container import ContainerInspect, ContainerSummary, ContainerTop
from knarr.spec.docker.stats import ContainerStats

_FIRST_WORDS_NS: Final = 500_000_000


class ContainerViews:
    """What can be asked about containers."""

    def __init__(
        self,
        *,
        journal: Journal,
        launcher: Launcher,
        images: ImageService,
        keeper: Keeper,
        machine: Machine,
    ) -> None:
        self._journal = journal
        self._registry = journal.registry
        self._launcher = launcher
        self._images = images
        self._usage = UsageReader(keeper, machine)

    def all(self) -> Iterator[Container]:
        return iter(self._registry)

    def find(self, ref: str) -> Container:
        """By ID, name or an ID's beginning. Raises NotFound, InvalidArgument if ambiguous."""
        return self._registry.find(ref)

    async def inspect(self, ref: str, *, size: bool = False) -> ContainerInspect:
        container = self._registry.find(ref)
        return documents.inspect(container, await self._around(container, size=size))

    async def list(
        self,
        wanted: filters.Filters,
        *,
        everything: bool = False,
        limit: int = 0,
        size: bool = False,
    ) -> Sequence[ContainerSummary]:
        """Newest first: running ones, unless ``everything`` or a filter on the state is given."""
        now_ns = time.time_ns()
        shown: list[ContainerSummary] = []
        filters.check_values(wanted)
        resolved = self._resolved(wanted)
        every = everything or limit > 0 or not {"status", "exited"}.isdisjoint(wanted)
        for container in sorted(self._registry, key=lambda each: -each.created_ns):
            if not (every or container.alive or container.status is Status.RESTARTING):
                continue
            around = await self._around(container, size=False)
            candidate = filters.Candidate(
                container=container,
                network_names=frozenset(
                    {*around.networks, *(each.network_id for each in around.networks.values())}
                ),
                ports=around.ports,
            )
            if not filters.matches(candidate, wanted, resolved):
                continue
            if size:
                around = await self._around(container, size=True)
            shown.append(documents.summary(container, around, now_ns))
            if limit > 0 and len(shown) == limit:
                break
        return shown

    def _resolved(self, wanted: filters.Filters) -> filters.Resolved:
        def created(name: str) -> int | None:
            values = wanted.get(name)
            return self._registry.find(values[0]).created_ns if values else None

        return filters.Resolved(
            ancestors=self._descendants_of(wanted.get("ancestor", ())),
            before_ns=created("before"),
            since_ns=created("since"),
        )

    async def _around(self, container: Container, *, size: bool) -> Surroundings:
        return await self._launcher.surroundings(container, size=size)

    async def top(self, ref: str, ps_args: str) -> ContainerTop:
        """The processes of a running container, as the host's ``ps`` shows them."""
        container = self._registry.find(ref)
        container.must_be_running()
        table = await self._launcher.processes(container, ps_args)
        self._journal.tell(container, "top")
        return table

    def stats(self, ref: str) -> AsyncIterator[ContainerStats]:
        """One document a second until the container is gone."""
        container_id = self._registry.find(ref).id
        return self._usage.follow(lambda: self._registry.find(container_id))

    async def stats_once(self, ref: str, *, one_shot: bool) -> ContainerStats:
        return await self._usage.once(self._registry.find(ref), one_shot=one_shot)

    async def logs(self, ref: str, query: LogQuery, *, follow: bool) -> AsyncGenerator[Batch, None]:
        """What it wrote, and with ``follow`` what it writes until its process ends."""
        container = self._registry.find(ref)
        reader = LogReader(self._launcher.log_folder(container.id), query)
        if follow and container.alive:
            async with aclosing(reader.follow()) as batches:
                async for batch in batches:
                    yield batch
            return
        for batch in reader.written():
            yield batch
            await asyncio.sleep(0)  # others have their turn

    async def first_words(self, ref: str) -> None:
        """Wait a moment, if it was started just now, until it has written something or ended."""
        container = self._registry.find(ref)
        await first_words(
            self._launcher.log_folder(container.id),
            lambda: self._registry.find(ref).alive,
            container.state.started_ns + _FIRST_WORDS_NS,
        )

    def _descendants_of(self, names: Sequence[str]) -> frozenset[str]:
        """The images called so, and all that were built upon them."""
        found: set[str] = set()
        for name in names:
            try:
                found |= self._images.descendants(self._images.resolve(name).id)
            except (NotFound, InvalidArgument):
                continue
        return frozenset(found)
