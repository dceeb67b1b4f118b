"""What goes on by itself: syncing, room on the disk, and what a power cut leaves."""

import gzip
from pathlib import Path

import pytest

from integration.upkeep.conftest import Store
from integration.upkeep.test_fsck import DIFF_ID, LAYER, PACKED, PLAIN, flip
from knarr.build.cachemounts import CacheMounts
from knarr.build.housekeeping import Housekeeping
from knarr.content import Budget
from knarr.content.rows import lease
from knarr.errors import Unavailable
from knarr.snapshot import Layers, Snapshotter, TarIndex, Unpacked
from knarr.snapshot.rows import hold_layers
from knarr.spec.knarr.upkeep import ConvertedLayers
from knarr.upkeep import pressure as pressing
from knarr.upkeep import syncing
from knarr.upkeep.converting import Converter
from knarr.upkeep.pressure import Pressure
from knarr.upkeep.syncing import Syncer
from support import images

pytestmark = pytest.mark.needs("root", "overlay", "erofs")


async def test_what_came_in_is_synced_and_marked(store: Store) -> None:
    await store.load(PACKED)
    syncer = Syncer(store.db, store.blobs, store.layers)
    assert await syncer.sync_some() == 3  # the layer, its compressed form, the manifest
    assert await syncer.sync_some() == 0


async def test_after_a_power_cut_what_was_not_synced_is_read_again(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    boot = tmp_path / "boot"
    boot.write_text("first")
    monkeypatch.setattr(syncing, "_BOOT", boot)
    syncer = Syncer(store.db, store.blobs, store.layers)
    assert syncer.doubtful() == ([], [])
    await store.load(PACKED)
    assert syncer.doubtful() == ([], [])  # the daemon alone was started again
    tar = store.layers.folder(DIFF_ID) / "layer.tar"
    tar.write_bytes(bytes(len(LAYER)))  # its size arrived, its contents did not
    boot.write_text("second")
    blobs, layers = syncer.doubtful()
    assert layers == [DIFF_ID]
    (problem,) = await store.check.only(blobs, layers)
    assert problem.repaired
    assert tar.read_bytes() == LAYER
    assert syncer.doubtful() == ([], [])


def pressure(store: Store, budget: Budget) -> Pressure:
    cache = Housekeeping(store.db, store.layers, CacheMounts(store.db, store.root), store.root)
    return Pressure(store.db, store.images, cache.shrink, budget, store.root)


async def test_compressed_forms_go_first_when_the_budget_runs_low(store: Store) -> None:
    await store.load(PACKED)
    budget = Budget(1 << 30)
    assert await pressure(store, budget).relieve() == 0
    assert budget.used_bytes > len(LAYER)
    budget.limit_bytes = budget.used_bytes + 10
    freed = await pressure(store, budget).relieve()
    assert freed == len(gzip.compress(LAYER, mtime=0))
    assert await store.problems() == []
    assert store.images.resolve("packed:1").manifest is not None
    assert store.layers.has(DIFF_ID)


async def test_a_disk_that_runs_low_makes_room_too(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    await store.load(PACKED)
    free = 10_000
    monkeypatch.setattr(pressing, "free_and_reserve", lambda _: (free, 1000))
    assert await pressure(store, Budget()).relieve() == 0
    free = 3999  # four times the reserve, but for one byte
    assert await pressure(store, Budget()).relieve() == len(gzip.compress(LAYER, mtime=0))
    assert await pressure(store, Budget()).relieve() == 0
    assert store.layers.has(DIFF_ID)


async def test_what_a_lost_pull_left_goes_when_its_lease_is_over(store: Store) -> None:
    await store.load(PLAIN)
    with store.db.transaction() as tx:
        lease(tx, "lease/pull-lost", seconds=3600)
        hold_layers(tx, "lease/pull-lost", [DIFF_ID])
    await store.images.remove("plain:1")
    assert pressure(store, Budget()).end_old_leases() == 0
    assert await store.problems() == []
    with store.db.transaction() as tx:
        lease(tx, "lease/pull-lost", seconds=-1)
    assert [each.partition(":")[0] for each in await store.problems()] == ["hold lease/pull-lost"]
    assert pressure(store, Budget()).end_old_leases() == len(LAYER)
    assert not store.layers.has(DIFF_ID)
    assert await store.problems() == []


async def test_a_load_over_the_budget_is_refused_and_leaves_nothing(tmp_path: Path) -> None:
    store = Store(tmp_path, [Unpacked()])
    store.layers = Layers(tmp_path, [Unpacked()], budget=Budget(1000))
    store.images = type(store.images)(store.db, store.blobs, store.layers, store.users)
    with pytest.raises(Unavailable, match="disk budget of 1kB is used up"):
        await store.load(PLAIN)
    assert store.files() == {"layers/tmp"}
    store.close()


async def test_all_layers_are_converted_while_the_engine_runs(tmp_path: Path) -> None:
    drivers: list[Snapshotter] = [TarIndex(tmp_path / "run", detached=False), Unpacked()]
    store = Store(tmp_path / "data", drivers)
    await store.load(PLAIN)
    await store.load(images.busybox())
    converter = Converter(store.db, store.layers, store.known)
    for name in ("unpacked", "tar+erofs", ""):
        *_, last = [each async for each in converter.convert(name)]
        wanted = name or "tar+erofs"
        assert last.aux == ConvertedLayers(snapshotter=wanted, converted=2 if name else 0)
        assert store.layers.driver_of(DIFF_ID) == wanted
        assert (store.layers.lower(DIFF_ID) / "etc/motd").read_bytes() == b"ahoy" * 500
        assert await store.problems() == []
    flip(store.layers.folder(DIFF_ID) / "layer.tar", 100)
    *_, last = [each async for each in converter.convert("unpacked")]
    assert isinstance(last.aux, ConvertedLayers)
    assert last.aux.converted == 1
    assert last.aux.left[0].startswith(f"layer {DIFF_ID}: ")
    assert store.layers.driver_of(DIFF_ID) == "tar+erofs"
    store.layers.close()
    store.close()
