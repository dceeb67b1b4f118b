"""Layers taken from one snapshotter to the other, while the engine runs."""

import asyncio
from collections.abc import AsyncIterator

from knarr.errors import InvalidArgument, KnarrError
from knarr.ids import DiffId, short
from knarr.snapshot import Layers, Unpacked
from knarr.snapshot.rows import all_layers, holders_of
from knarr.spec.docker.progress import Progress
from knarr.spec.knarr.upkeep import ConvertedLayers
from knarr.store import Database
from knarr.upkeep.survey import Holders


class Converter:
    """Lives in the loop; a layer at a time is made in a thread."""

    def __init__(self, db: Database, layers: Layers, holders: Holders) -> None:
        self._db, self._layers, self._holders = db, layers, holders

    def convert(self, name: str = "") -> AsyncIterator[Progress]:
        """All layers, to the snapshotter of that name, or to the one for new layers.

        Progress, then ConvertedLayers as ``aux``. Raises InvalidArgument for a name that this
        machine does not have.
        """
        wanted = name or self._layers.driver
        if wanted not in self._layers.driver_names:
            there = " and ".join(self._layers.driver_names)
            raise InvalidArgument(f"no snapshotter '{wanted}' on this machine: there is {there}")
        return self._converted(wanted)

    async def _converted(self, wanted: str) -> AsyncIterator[Progress]:
        others = [each for each in all_layers(self._db) if self._layers.driver_of(each) != wanted]
        done, left = 0, []
        for number, diff_id in enumerate(others, start=1):
            try:
                self._refuse_busy(diff_id)
                with self._layers.pinned([diff_id]):
                    await asyncio.to_thread(self._layers.remake, diff_id, wanted)
            except KnarrError as error:
                left.append(f"layer {diff_id}: {error}")
            else:
                done += 1
                with self._db.transaction() as tx:
                    tx.execute("UPDATE layers SET synced = 0 WHERE diff_id = ?", (diff_id,))
            yield Progress.about("layers", f"Converting {short(diff_id)}", number, len(others))
        yield Progress(aux=ConvertedLayers(snapshotter=wanted, converted=done, left=tuple(left)))

    def _refuse_busy(self, diff_id: DiffId) -> None:
        """A running container stands on the very files of an unpacked layer."""
        if self._layers.driver_of(diff_id) == Unpacked.name:
            for holder in holders_of(self._db, diff_id):
                if self._holders.runs(holder):
                    raise KnarrError(f"{self._holders.name_of(holder)} runs on it: stop it first")
