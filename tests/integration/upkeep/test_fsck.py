"""Every kind of damage to a store is found, named, and put right without losing anything."""

import gzip
import json
import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from integration.upkeep.conftest import Store
from knarr.content import Blob
from knarr.content.rows import hold_blobs, put_blob
from knarr.ids import DiffId, Digest
from knarr.registry.server.problems import Problem
from knarr.registry.server.registry import Registry
from knarr.snapshot.rows import hold_layers
from knarr.spec.oci.image import OCI_CONFIG, OCI_LAYER, OCI_MANIFEST
from support import images

pytestmark = pytest.mark.needs("root", "overlay", "erofs")
LAYER = images.layer({"etc": None, "etc/motd": b"ahoy" * 500, "bin": "etc"})
DIFF_ID = DiffId(Digest(images.digest(LAYER)))
CONFIG = images.document((LAYER,), {})
PLAIN = images.docker_archive((LAYER,), CONFIG, ("plain:1",))
PACKED_LAYER = gzip.compress(LAYER, mtime=0)
PACKED = images.oci_archive(
    (PACKED_LAYER,), images.document((LAYER,), {"User": "1"}), "docker.io/library/packed:1",
    media="tar+gzip",
)  # fmt: skip


def flip(path: Path, place: int = -1) -> None:
    """Another bit, the same size."""
    content = bytearray(path.read_bytes())
    content[place] ^= 1
    path.write_bytes(content)


async def test_a_store_that_is_well_has_no_problems(store: Store) -> None:
    await store.load(PLAIN)
    await store.load(PACKED)
    report = await store.report(repair=True)
    assert report.problems == ()
    manifest = store.images.resolve("packed:1").manifest
    assert manifest is not None
    sizes = (len(LAYER), len(PACKED_LAYER), len(store.blobs.read(manifest)))
    assert (report.blobs, report.layers, report.read_bytes) == (2, 1, sum(sizes))


async def test_strays_are_found_and_only_a_repair_deletes_them(store: Store) -> None:
    await store.load(PLAIN)
    stray = Digest(images.digest(b"stray"))
    store.blobs.path(stray).write_bytes(b"stray")
    lost = DiffId(Digest(images.digest(b"lost")))
    store.layers.folder(lost).mkdir()
    told = [f"blob {stray}: a file that no row knows", f"layer {lost}: a folder that no row knows"]
    assert await store.problems() == told
    assert store.blobs.has(stray)
    assert await store.problems(repair=True) == told
    assert not store.blobs.has(stray)
    assert not store.layers.has(lost)
    assert await store.problems() == []


async def test_what_is_coming_in_is_no_stray(store: Store) -> None:
    blob = store.blobs.put(b"on its way")
    with store.layers.writer() as writer:
        writer.write(LAYER)
        layer = writer.commit()
    assert await store.problems(repair=True) == []
    assert store.blobs.has(blob.digest)
    assert store.layers.has(layer.diff_id)


async def test_a_damaged_tar_comes_back_from_its_compressed_form(store: Store) -> None:
    await store.load(PACKED)
    tar = store.layers.folder(DIFF_ID) / "layer.tar"
    flip(tar, 600)
    (problem,) = (await store.report()).problems
    assert problem.subject == f"layer {DIFF_ID}"
    assert problem.problem.startswith("its file has the digest sha256:")
    assert problem.needed_by == ("packed:1",)
    assert not problem.repaired
    (problem,) = (await store.report(repair=True)).problems
    assert problem.repaired
    assert tar.read_bytes() == LAYER
    assert (store.layers.lower(DIFF_ID) / "etc/motd").read_bytes() == b"ahoy" * 500
    assert await store.problems() == []
    assert not (store.root / "damaged" / DIFF_ID.removeprefix("sha256:")).exists()


async def test_a_missing_layer_comes_back_from_its_compressed_form(store: Store) -> None:
    await store.load(PACKED)
    folder = store.layers.folder(DIFF_ID)
    folder.rename(store.root / "gone")
    assert await store.problems(repair=True) == [f"layer {DIFF_ID}: its folder is missing"]
    assert await store.problems() == []


async def test_a_damaged_tar_without_a_copy_is_set_aside_and_a_load_brings_it_back(
    store: Store,
) -> None:
    await store.load(PLAIN)
    flip(store.layers.folder(DIFF_ID) / "layer.tar", 600)
    (problem,) = (await store.report(repair=True)).problems
    assert problem.repaired
    assert "'damaged'" in problem.outcome
    assert (store.root / "damaged" / DIFF_ID.removeprefix("sha256:") / "layer.tar").is_file()
    (problem,) = (await store.report(repair=True)).problems
    assert (problem.problem, problem.repaired) == ("its folder is missing", False)
    assert problem.outcome == "pull, load or build what needs it again"
    await store.load(PLAIN)
    assert await store.problems() == []
    assert (store.layers.lower(DIFF_ID) / "etc/motd").read_bytes() == b"ahoy" * 500


async def test_what_is_mounted_is_made_anew_from_the_tar(store: Store) -> None:
    await store.load(PLAIN)
    folder = store.layers.folder(DIFF_ID)
    index = folder / "index.erofs"
    flip(index if index.exists() else folder / "fs/etc/motd", -1)
    said = [f"layer {DIFF_ID}: what is mounted of it is not what its tar says"]
    assert await store.problems(repair=True) == said
    assert await store.problems() == []
    assert (store.layers.lower(DIFF_ID) / "etc/motd").read_bytes() == b"ahoy" * 500


async def test_files_are_not_changed_under_a_running_container(store: Store) -> None:
    await store.load(PLAIN)
    store.known.containers.add("web")
    store.known.running.add("container/web")
    with store.db.transaction() as tx:
        hold_layers(tx, "container/web", [DIFF_ID])
    folder = store.layers.folder(DIFF_ID)
    index = folder / "index.erofs"
    flip(index if index.exists() else folder / "fs/etc/motd", -1)
    (problem,) = (await store.report(repair=True)).problems
    assert problem.needed_by == ("container web", "plain:1")
    if index.exists():  # its mount goes on with the old one
        assert problem.repaired
    else:
        assert problem.outcome == "not repaired: container web runs on it: stop it first"


@pytest.mark.parametrize("damage", [flip, Path.unlink, lambda path: path.write_bytes(b"")])
async def test_a_damaged_form_of_a_layer_is_forgotten(
    store: Store, damage: Callable[[Path], None]
) -> None:
    await store.load(PACKED)
    digest = Digest(images.digest(PACKED_LAYER))
    damage(store.blobs.path(digest))
    (problem,) = (await store.report(repair=True)).problems
    assert problem.subject == f"blob {digest}"
    assert problem.repaired
    assert await store.problems() == []
    assert not store.blobs.has(digest)


async def test_an_image_goes_on_without_a_damaged_manifest(store: Store) -> None:
    await store.load(PACKED)
    manifest = store.images.resolve("packed:1").manifest
    assert manifest is not None
    flip(store.blobs.path(manifest))
    assert len(await store.problems(repair=True)) == 1
    assert await store.problems() == []
    assert store.images.resolve("packed:1").manifest is None


async def test_a_blob_that_only_its_holder_has_is_told_of_and_left(store: Store) -> None:
    with store.db.transaction() as tx:
        blob = store.blobs.put(b"precious")
        put_blob(tx, Blob(digest=blob.digest, size_bytes=8))
        hold_blobs(tx, "somebody/else", [blob.digest])
    store.blobs.unpin(blob.digest)
    flip(store.blobs.path(blob.digest))
    (problem,) = (await store.report(repair=True)).problems
    assert not problem.repaired
    assert store.blobs.has(blob.digest)


async def test_a_damaged_blob_of_the_served_registry_can_be_pushed_again(store: Store) -> None:
    served = Registry(store.db, store.blobs)

    def push(content: bytes) -> None:
        blob = store.blobs.put(content)
        served.link("a/b", blob)
        store.blobs.unpin(blob.digest)

    push(b"{}")
    push(b"layer")
    layer = Digest(images.digest(b"layer"))
    parts = [(b"{}", OCI_CONFIG), (b"layer", OCI_LAYER)]
    config, only = (
        {"mediaType": kind, "digest": images.digest(each), "size": len(each)}
        for each, kind in parts
    )
    manifest = {"schemaVersion": 2, "mediaType": OCI_MANIFEST, "config": config, "layers": [only]}
    served.put_manifest("a/b", "1", json.dumps(manifest).encode(), OCI_MANIFEST)
    assert await store.problems() == []
    flip(store.blobs.path(layer))
    (problem,) = (await store.report(repair=True)).problems
    assert (problem.subject, problem.repaired) == (f"blob {layer}", True)
    with pytest.raises(Problem):
        served.blob_size("a/b", layer)
    assert served.manifest("a/b", "1").media_type == OCI_MANIFEST
    push(b"layer")
    assert served.blob_size("a/b", layer) == 5
    assert await store.problems() == []
    served.close()


async def test_holds_of_what_is_gone_are_let_go_of(store: Store) -> None:
    await store.load(PLAIN)
    with store.db.transaction() as tx:
        for holder in ("container/gone", "lease/old", "build/x", "unknown/kind"):
            hold_layers(tx, holder, [DIFF_ID])
    holds = {f"hold {each}" for each in ("build/x", "container/gone", "lease/old")}
    found = await store.problems(repair=True)
    assert {each.partition(":")[0] for each in found} == holds
    assert await store.problems() == []
    row = store.db.query("SELECT holder FROM layer_holds WHERE holder LIKE 'unknown%'")
    assert len(row) == 1


async def test_what_nobody_holds_is_collected(store: Store) -> None:
    await store.load(PACKED)
    with store.db.transaction() as tx:
        tx.execute("DELETE FROM layer_holds")
        tx.execute("DELETE FROM image_names")
        tx.execute("DELETE FROM images")
        tx.execute("DELETE FROM blob_holds")
    found = await store.problems(repair=True)
    assert f"layer {DIFF_ID}: nobody holds it" in found
    assert await store.problems() == []
    assert store.files() <= {"layers/tmp"}


async def test_folders_of_containers_and_volumes_are_told_of_and_never_deleted(
    store: Store,
) -> None:
    with store.db.transaction() as tx:
        tx.execute("INSERT INTO containers VALUES ('c1', 'web', 'i', 0, 'exited', '{}', '{}')")
        tx.execute("INSERT INTO volumes VALUES ('data', 'local', 0, '{}', '{}')")
    for name, age_s in (("containers/c2", 0), ("containers/c3", 7200), ("volumes/old", 7200)):
        folder = store.root / name
        folder.mkdir(parents=True)
        os.utime(folder, (time.time() - age_s,) * 2)
    report = await store.report(repair=True)
    assert [f"{each.subject}: {each.problem}" for each in report.problems] == [
        "container web: what it wrote is missing",
        "container c3: a folder that no row knows",
        "volume data: its data is missing",
        "volume old: a folder that no row knows",
    ]
    assert not any(each.repaired for each in report.problems)
    assert (store.root / "volumes/old").is_dir()


async def test_an_image_holds_its_layers_again(store: Store) -> None:
    await store.load(PLAIN)
    with store.db.transaction() as tx:
        tx.execute("DELETE FROM layer_holds")
        hold_layers(tx, "unknown/kind", [DIFF_ID])
    assert "does not hold its layer" in (await store.problems(repair=True))[0]
    assert await store.problems() == []
