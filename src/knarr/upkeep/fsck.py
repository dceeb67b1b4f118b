"""The check of a store, while the engine runs on it.

Nothing is held up meanwhile, so rows and files may come and go between two looks: what is wrong is
what both the survey before the reading and the one after it show.
"""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Iterable
from pathlib import Path

from knarr.content import BlobStore
from knarr.errors import KnarrError
from knarr.ids import DiffId, Digest
from knarr.image.progress import Meter
from knarr.snapshot import Layers
from knarr.spec.docker.progress import Progress
from knarr.spec.knarr.upkeep import CheckReport, FoundProblem
from knarr.store import Database
from knarr.upkeep.judging import Read, of_content, structural
from knarr.upkeep.model import Finding, Remedy
from knarr.upkeep.reading import Reader
from knarr.upkeep.repair import Repairer
from knarr.upkeep.survey import Holders, Survey, needers, surveyed


class Check:
    """Looks, and where it is told to, repairs. Lives in the loop."""

    def __init__(
        self,
        db: Database,
        blobs: BlobStore,
        layers: Layers,
        holders: Holders,
        repairer: Repairer,
        data_root: Path,
    ) -> None:
        self._db, self._blobs, self._layers, self._holders = db, blobs, layers, holders
        self._repairer, self._data_root = repairer, data_root
        self._alone = asyncio.Lock()

    async def run(self, *, repair: bool) -> AsyncIterator[Progress]:
        """Progress, then a CheckReport as ``aux``. One at a time: a second one waits."""
        async with self._alone:
            meter = Meter("Checking")
            reader = Reader(self._blobs, self._layers, meter.report)
            before = self._survey()
            reading = asyncio.create_task(
                asyncio.to_thread(
                    reader.read,
                    [(each, size) for each, size in before.blobs.items()
                     if each in before.blob_files],
                    [(each, layer.tar_bytes) for each, layer in before.layers.items()
                     if each in before.layer_folders],
                )
            )  # fmt: skip
            reading.add_done_callback(lambda _: meter.close())
            try:
                async for message in meter:
                    yield message
                read = await reading
            finally:
                reader.stop()
                await asyncio.gather(reading, return_exceptions=True)
            problems = await self._dealt_with(before, read, repair=repair)
            yield Progress(
                aux=CheckReport(
                    blobs=len(before.blobs),
                    layers=len(before.layers),
                    read_bytes=read.read_bytes,
                    problems=problems,
                )
            )

    async def only(
        self, blobs: Iterable[Digest], layers: Iterable[DiffId]
    ) -> tuple[FoundProblem, ...]:
        """Read these again, and repair what is wrong with them: after an unclean boot."""
        before = self._survey()
        reader = Reader(self._blobs, self._layers, lambda *_: None)
        read = await asyncio.to_thread(
            reader.read,
            [(each, before.blobs[each]) for each in blobs if each in before.blob_files],
            [(each, before.layers[each].tar_bytes) for each in layers
             if each in before.layer_folders],
        )  # fmt: skip
        return await self._dealt_with(before, read, repair=True)

    def _survey(self) -> Survey:
        return surveyed(self._db, self._blobs, self._layers, self._holders, self._data_root)

    async def _dealt_with(
        self, before: Survey, read: Read, *, repair: bool
    ) -> tuple[FoundProblem, ...]:
        database = await asyncio.to_thread(self._database)
        after = self._survey()
        found = [*database, *_judged(after, read, self._holders)]
        known = {each.identity for each in _judged(before, read, self._holders)}
        told = []
        for finding in found:
            if finding.kind != "database" and finding.identity not in known:
                continue
            told.append(await self._told(finding, after, repair=repair))
        if repair:
            await asyncio.to_thread(self._layers.empty_trash)
        return tuple(told)

    async def _told(self, finding: Finding, survey: Survey, *, repair: bool) -> FoundProblem:
        repaired = False
        outcome = f"can be {finding.remedy}" if finding.remedy else finding.advice
        if repair:
            try:
                await self._repairer.repair(finding, survey)
                repaired, outcome = True, finding.remedy.value
            except (KnarrError, OSError) as error:
                outcome = str(error) if finding.remedy is Remedy.NONE else f"not repaired: {error}"
        return FoundProblem(
            subject=finding.subject,
            problem=finding.problem,
            outcome=outcome,
            repaired=repaired,
            needed_by=finding.needed_by,
        )

    def _database(self) -> list[Finding]:
        """SQLite's own check, on a connection of its own."""
        path = self._data_root / "knarr.db"
        found = []
        connection = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
        try:
            said = [row[0] for row in connection.execute("PRAGMA quick_check")]
            found += [each for each in said if each != "ok"]
            for table, _, parent, _ in connection.execute("PRAGMA foreign_key_check"):
                found.append(f"a row of {table} points to nothing in {parent}")
        except sqlite3.DatabaseError as error:
            found.append(str(error))
        finally:
            connection.close()
        return [
            Finding(kind="database", key=path.name, problem=each, remedy=Remedy.NONE,
                    advice="stop the engine, and bring the file back from a copy")
            for each in dict.fromkeys(found)
        ]  # fmt: skip


def _judged(survey: Survey, read: Read, holders: Holders) -> list[Finding]:
    """Content only of what is still there."""

    def named(held_by: Iterable[str]) -> tuple[str, ...]:
        return needers(survey, holders, held_by)

    there = Read(
        blobs={each: why for each, why in read.blobs.items() if each in survey.blobs},
        tars={each: why for each, why in read.tars.items() if each in survey.layers},
        made={each: why for each, why in read.made.items() if each in survey.layers},
    )
    found = {
        each.identity[:2]: each
        for each in (*structural(survey, named), *of_content(survey, there, named))
    }
    return list(found.values())
