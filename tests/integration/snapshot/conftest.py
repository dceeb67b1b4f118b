from collections.abc import Iterator
from pathlib import Path

import pytest

from knarr.ids import ContainerId, DiffId
from knarr.snapshot.rows import put_layer
from support.rooms import Rooms


@pytest.fixture
def rooms(tmp_path: Path) -> Iterator[Rooms]:
    made = Rooms(tmp_path / "data")
    yield made
    made.containers.repair(())
    made.layers.sweep([])
    made.close()


class Box:
    """A container's layers over an image of the given tars."""

    def __init__(self, rooms: Rooms, name: str, *tars: bytes) -> None:
        self.rooms = rooms
        self.id = ContainerId(name)
        rooms.containers.prepare(self.id, [self._stored(tar) for tar in tars])

    def _stored(self, tar: bytes) -> DiffId:
        with self.rooms.layers.writer() as writer:
            writer.write(tar)
            layer = writer.commit()
        with self.rooms.db.transaction() as tx:
            put_layer(tx, layer)
        self.rooms.layers.unpin(layer.diff_id)
        return layer.diff_id

    def changes(self) -> set[str]:
        return {f"{each.kind} {each.path}" for each in self.rooms.containers.changes(self.id)}
