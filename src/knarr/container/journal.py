"""The beats that every verb shares: hold the container, record what became of it, tell of it."""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

from knarr.container import rows
from knarr.container.documents import event_attributes
from knarr.container.model import Container
from knarr.container.registry import ContainerRegistry
from knarr.errors import NotFound
from knarr.events import Event
from knarr.ids import ContainerId
from knarr.store import Database

Happened = tuple[str, Mapping[str, str]]  # an action, and what its event tells besides


class Journal:
    """What is known of all containers, changed only here: in the database, then in memory."""

    def __init__(self, db: Database, registry: ContainerRegistry) -> None:
        self._db = db
        self.registry = registry
        self._locks: defaultdict[ContainerId, asyncio.Lock] = defaultdict(asyncio.Lock)

    @asynccontextmanager
    async def held(self, ref: str) -> AsyncIterator[Container]:
        """The container, its lock taken, as it was last committed. Raises NotFound."""
        container_id = self.registry.find(ref).id
        async with self._locks[container_id]:
            current = self.registry.get(container_id)
            if current is None:
                raise NotFound(f"No such container: {ref}")
            yield current

    def record(self, after: Container, *happened: Happened) -> None:
        """One commit: the state and what is told of it."""
        with self._db.transaction() as tx:
            rows.update_state(tx, after)
            for action, attributes in happened:
                tx.emit(event_of(after, action, attributes))
        self.registry.put(after)

    def record_document(self, after: Container, *happened: Happened) -> None:
        """The same for its name, its settings, the networks that it joins."""
        with self._db.transaction() as tx:
            rows.update_document(tx, after)
            for action, attributes in happened:
                tx.emit(event_of(after, action, attributes))
        self.registry.put(after)

    def forget(self, gone: Container) -> None:
        """It is removed."""
        with self._db.transaction() as tx:
            rows.delete(tx, gone)
            tx.emit(event_of(gone, "destroy"))
        self.registry.drop(gone)
        self._locks.pop(gone.id, None)

    def tell(self, container: Container, action: str, **attributes: str) -> None:
        """An event that changes nothing."""
        with self._db.transaction() as tx:
            tx.emit(event_of(container, action, attributes))

    def emit(self, event: Event) -> None:
        """An event of no one container."""
        with self._db.transaction() as tx:
            tx.emit(event)


def event_of(
    container: Container, action: str, attributes: Mapping[str, str] | None = None
) -> Event:
    return Event(
        type="container",
        action=action,
        actor=container.id,
        attributes={**event_attributes(container), **(attributes or {})},
    )
