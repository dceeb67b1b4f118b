"""The build cache as something that takes room: shown, pruned on request, kept within bounds."""

import asyncio
import shutil
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from knarr.build import rows
from knarr.build.cachemounts import CacheMounts
from knarr.build.model import CacheMountUse, Record
from knarr.errors import InvalidArgument
from knarr.events import Event
from knarr.snapshot import Layers
from knarr.snapshot import rows as layer_rows
from knarr.snapshot.written import tree_bytes
from knarr.spec.docker.build import BuildCache, BuildCachePruned
from knarr.store import Database
from knarr.times import moment_ns, rfc3339
from knarr.units import duration_ns

_REGULAR: Final = "regular"
_CACHE_MOUNT: Final = "exec.cachemount"
_SHARE_OF_DISK: Final = 10  # the cache may take a tenth of the disk by itself
_LEAST_BYTES: Final = 10 << 30
_PROJECTS_KEPT_NS: Final = 90 * 86_400 * 1_000_000_000

FILTERS: Final = (
    "until", "unused-for", "id", "type", "description", "inuse", "shared", "private", "parent",
    "label", "label!",
)  # fmt: skip
Filters = Mapping[str, Sequence[str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """A record or a cache mount, as both are counted and removed."""

    id: str
    kind: str
    description: str
    size_bytes: int
    made_ns: int
    used_ns: int
    uses: int
    in_use: bool = False
    shared: bool = False  # an image stands on the same layer: removing frees nothing
    remove: Callable[[], None] = field(repr=False)

    @property
    def document(self) -> BuildCache:
        return BuildCache(
            id=self.id,
            type=self.kind,
            description=self.description,
            in_use=self.in_use,
            shared=self.shared,
            size=self.size_bytes,
            created_at=rfc3339(self.made_ns),
            last_used_at=rfc3339(self.used_ns),
            usage_count=self.uses,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Prune:
    """What is to go. reserved_bytes stay in any case; max_used_bytes is where to get below.

    everything: also what images share, and what is no leftover.
    """

    everything: bool = False
    filters: Filters = field(default_factory=dict)
    reserved_bytes: int = 0
    max_used_bytes: int = 0
    min_free_bytes: int = 0


class Housekeeping:
    """Lives in the loop; measuring and deleting is done in threads."""

    def __init__(
        self, db: Database, layers: Layers, cache_mounts: CacheMounts, data_root: Path
    ) -> None:
        self._db = db
        self._layers = layers
        self.cache_mounts = cache_mounts
        self._data_root = data_root

    async def usage(self) -> list[BuildCache]:
        """All of it, as ``system df`` shows it; what was used longest ago comes first."""
        return [item.document for item in await self._items()]

    async def usage_bytes(self) -> int:
        return sum(each.size_bytes for each in await self._items())

    async def prune(self, wanted: Prune) -> BuildCachePruned:
        """Remove what is asked for, least recently used first."""
        items = await self._items()
        admitted = [each for each in items if not each.in_use and _admits(each, wanted)]
        chosen = _chosen(admitted, sum(each.size_bytes for each in items), wanted, self._free())
        return await self._removed(chosen, wanted)

    async def keep_within_bounds(self, limit_bytes: int = 0) -> BuildCachePruned:
        """After a build: the cache takes a tenth of the disk at most, and no less than 10 GiB."""
        size = shutil.disk_usage(self._data_root).total // _SHARE_OF_DISK
        limit_bytes = limit_bytes or max(size, _LEAST_BYTES)
        with self._db.transaction() as tx:
            oldest_ns = time.time_ns() - _PROJECTS_KEPT_NS
            tx.execute("DELETE FROM build_steps WHERE built_ns < ?", (oldest_ns,))
        if sum(each.size_bytes for each in rows.every(self._db)) <= limit_bytes:
            return BuildCachePruned()
        return await self.prune(Prune(everything=True, max_used_bytes=limit_bytes))

    async def shrink(self, missing_bytes: int) -> int:
        """Give up so much of it, least recently used first; how many bytes that freed."""
        limit = max(await self.usage_bytes() - missing_bytes, 1)  # 0 would mean no limit
        pruned = await self.prune(Prune(everything=True, max_used_bytes=limit))
        return pruned.space_reclaimed

    def _free(self) -> int:
        return shutil.disk_usage(self._data_root).free

    async def _items(self) -> list[Item]:
        mounts = rows.mounts(self._db)
        sizes = await asyncio.to_thread(self._measure, mounts)
        with self._db.transaction() as tx:
            for mount, size in zip(mounts, sizes, strict=True):
                rows.measured_mount(tx, mount.id, mount.number, size)
        items = [self._record(each) for each in rows.every(self._db)]
        items += [self._mount(each, size) for each, size in zip(mounts, sizes, strict=True)]
        return sorted(items, key=lambda each: (each.used_ns, each.id))

    def _measure(self, mounts: Iterable[CacheMountUse]) -> list[int]:
        return [_size(self.cache_mounts.path(each.id, each.number)) for each in mounts]

    def _record(self, record: Record) -> Item:
        holders = layer_rows.holders_of(self._db, record.diff_id) if record.diff_id else ()
        return Item(
            id=record.id[:25],
            kind=_REGULAR,
            description=record.description,
            size_bytes=record.size_bytes,
            made_ns=record.made_ns,
            used_ns=record.used_ns,
            uses=record.uses,
            shared=any(not holder.startswith(rows.HOLDER) for holder in holders),
            remove=lambda: self._drop(record),
        )

    def _drop(self, record: Record) -> None:
        with self._db.transaction() as tx:
            rows.drop(tx, record.id)

    def _mount(self, mount: CacheMountUse, size_bytes: int) -> Item:
        return Item(
            id=f"{mount.id.removeprefix('sha256:')[:24]}{mount.number}",
            kind=_CACHE_MOUNT,
            description=f"cached mount {mount.name}",
            size_bytes=size_bytes,
            made_ns=mount.made_ns,
            used_ns=mount.used_ns,
            uses=mount.uses,
            in_use=self.cache_mounts.in_use(mount.id, mount.number),
            remove=lambda: self._drop_mount(mount),
        )

    def _drop_mount(self, mount: CacheMountUse) -> None:
        with self._db.transaction() as tx:
            rows.drop_mount(tx, mount.id, mount.number)
        self.cache_mounts.discard(mount.id, mount.number)

    async def _removed(self, chosen: Sequence[Item], wanted: Prune) -> BuildCachePruned:
        for item in chosen:
            item.remove()
        with self._db.transaction() as tx:
            freed = layer_rows.forget_unheld_layers(tx)
        for layer in freed:
            self._layers.discard(layer.diff_id)
        space = sum(layer.content_bytes for layer in freed)
        space += sum(each.size_bytes for each in chosen if each.kind == _CACHE_MOUNT)
        with self._db.transaction() as tx:
            attributes = {"reclaimed": str(space)}
            tx.emit(Event(type="builder", action="prune", actor="", attributes=attributes))
        await asyncio.to_thread(self._empty_trash, wanted)
        return BuildCachePruned(
            caches_deleted=tuple(each.id for each in chosen), space_reclaimed=space
        )

    def _empty_trash(self, wanted: Prune) -> None:
        self._layers.empty_trash()
        self.cache_mounts.empty_trash()
        if wanted.everything and not wanted.filters:
            for name in ("http", "folders"):
                shutil.rmtree(self._data_root / "build" / name, ignore_errors=True)


def build_cache(db: Database, layers: Layers, data_root: Path) -> Housekeeping:
    """The build cache of a data root: one for the daemon."""
    return Housekeeping(db, layers, CacheMounts(db, data_root / "build" / "mounts"), data_root)


def _size(path: Path) -> int:
    try:
        return tree_bytes(path)
    except OSError:
        return 0


def _admits(item: Item, wanted: Prune) -> bool:
    if item.shared and not wanted.everything:
        return False
    return all(
        any(_matches(item, name, value) for value in values)
        for name, values in wanted.filters.items()
    )


def _matches(item: Item, name: str, value: str) -> bool:
    match name:
        case "until" | "unused-for":
            return item.used_ns < _before_ns(value)
        case "id":
            return item.id.startswith(value)
        case "type":
            return item.kind == value
        case "description":
            return value in item.description
        case "inuse" | "shared" | "private":
            is_so = {"inuse": item.in_use, "shared": item.shared, "private": not item.shared}
            return is_so[name] == (value.lower() not in {"0", "false"})
        case "parent" | "label":
            return False  # records here have neither
        case "label!":
            return True
    raise InvalidArgument(f"invalid filter '{name}'")


def _before_ns(value: str) -> int:
    now_ns = time.time_ns()
    try:
        return now_ns - duration_ns(value)
    except InvalidArgument:
        return moment_ns(value, now_ns)


def _chosen(
    admitted: Sequence[Item], used_bytes: int, wanted: Prune, free_bytes: int
) -> list[Item]:
    """As many of them as must go; all, where no bound is given."""
    bounded = wanted.reserved_bytes or wanted.max_used_bytes or wanted.min_free_bytes
    if not bounded:
        return list(admitted)
    chosen: list[Item] = []
    for item in admitted:
        over = wanted.max_used_bytes and used_bytes > wanted.max_used_bytes
        scarce = wanted.min_free_bytes and free_bytes < wanted.min_free_bytes
        no_bound = not (wanted.max_used_bytes or wanted.min_free_bytes)
        if not (over or scarce or no_bound) or used_bytes <= wanted.reserved_bytes:
            break
        chosen.append(item)
        used_bytes -= item.size_bytes
        free_bytes += item.size_bytes
    return chosen
