"""Images, their names and digests, between SQLite and values."""

import sqlite3
import time
from collections import defaultdict
from collections.abc import Iterable
from functools import lru_cache

from knarr.content import Blob
from knarr.content.rows import hold_blobs, put_blob
from knarr.errors import InvalidArgument
from knarr.ids import DiffId, Digest, ImageId
from knarr.image.model import Image, NewImage, created_ns
from knarr.reference import Reference
from knarr.snapshot.rows import (
    all_layers,
    find_layer,
    hold_layers,
    put_layer,
    put_layer_blob,
)
from knarr.spec.document import decode
from knarr.spec.oci.image import ImageDocument
from knarr.store import Database, Transaction

HOLDER = "image/"
_PLATFORM_NAMES = (
    "SELECT v.image, n.name, n.tag, n.digest FROM image_variants v JOIN ("
    "SELECT name, tag, NULL AS digest, idx, image FROM image_names UNION ALL"
    " SELECT name, NULL, digest, digest, image FROM image_digests) n"
    " ON n.idx = v.idx WHERE n.image != v.image"
)  # names whose index has the image for another platform than the one that they lead to


def find(db: Database, image: ImageId) -> Image | None:
    row = db.query_one("SELECT * FROM images WHERE id = ?", (image,))
    if row is None:
        return None
    document = document_of(row["config"])
    layers = (find_layer(db, DiffId(Digest(each))) for each in document.rootfs.diff_ids)
    names = db.query("SELECT name, tag FROM image_names WHERE image = ? ORDER BY 1, 2", (image,))
    digests = db.query(
        "SELECT name, digest FROM image_digests WHERE image = ? ORDER BY 1, 2", (image,)
    )
    by_platform = db.query(_PLATFORM_NAMES + " AND v.image = ? ORDER BY 2, 3", (image,))
    return _image(
        row,
        document,
        tuple(_tagged(each) for each in names),
        tuple(_digested(each) for each in digests),
        sum(layer.content_bytes for layer in layers if layer is not None),
        tuple(_by_platform(each) for each in by_platform),
    )


def every(db: Database) -> list[Image]:
    """All images, newest first."""
    sizes = {diff_id: layer.content_bytes for diff_id, layer in all_layers(db).items()}
    names: dict[str, list[Reference]] = defaultdict(list)
    for row in db.query("SELECT * FROM image_names ORDER BY name, tag"):
        names[row["image"]].append(_tagged(row))
    digests: dict[str, list[Reference]] = defaultdict(list)
    for row in db.query("SELECT * FROM image_digests ORDER BY name, digest"):
        digests[row["image"]].append(_digested(row))
    by_platform: dict[str, list[Reference]] = defaultdict(list)
    for row in db.query(_PLATFORM_NAMES + " ORDER BY 2, 3"):
        by_platform[row["image"]].append(_by_platform(row))
    images = []
    for row in db.query("SELECT * FROM images ORDER BY created_ns DESC, id"):
        document = document_of(row["config"])
        size_bytes = sum(sizes.get(DiffId(Digest(each)), 0) for each in document.rootfs.diff_ids)
        known = (tuple(each[row["id"]]) for each in (names, digests, by_platform))
        tags, repo_digests, platform_names = known
        images.append(_image(row, document, tags, repo_digests, size_bytes, platform_names))
    return images


def by_tag(db: Database, name: str, tag: str) -> ImageId | None:
    row = db.query_one("SELECT image FROM image_names WHERE name = ? AND tag = ?", (name, tag))
    return None if row is None else ImageId(Digest(row["image"]))


def by_digest(db: Database, name: str, digest: Digest) -> ImageId | None:
    row = db.query_one(
        "SELECT image FROM image_digests WHERE name = ? AND digest = ?", (name, digest)
    )
    return None if row is None else ImageId(Digest(row["image"]))


def by_prefix(db: Database, prefix: str) -> list[ImageId]:
    """Up to two images whose ID begins so; ``prefix`` may have the algorithm's name or not."""
    start = f"sha256:{prefix.removeprefix('sha256:')}"
    rows = db.query(
        "SELECT id FROM images WHERE id >= ? AND id < ? LIMIT 2", (start, start + "g")
    )  # fmt: skip
    return [ImageId(Digest(row["id"])) for row in rows]


def tags_of(db: Database, name: str) -> list[tuple[Reference, ImageId]]:
    """Every tag of a repository and where it leads."""
    rows = db.query("SELECT * FROM image_names WHERE name = ? ORDER BY tag", (name,))
    return [(_tagged(row), ImageId(Digest(row["image"]))) for row in rows]


def form_bytes(db: Database, image: ImageId) -> int:
    """Of the compressed forms of its layers that are here."""
    row = db.query_one(
        "SELECT coalesce(sum(size_bytes), 0) AS total FROM layer_blobs JOIN blobs USING (digest)"
        " WHERE diff_id IN (SELECT diff_id FROM layer_holds WHERE holder = ?)",
        (HOLDER + image,),
    )
    return int(row["total"]) if row else 0


def children_of(db: Database, image: ImageId) -> list[ImageId]:
    rows = db.query("SELECT id FROM images WHERE parent = ?", (image,))
    return [ImageId(Digest(row["id"])) for row in rows]


def record(tx: Transaction, new: NewImage, manifest: Blob | None) -> None:
    """An image with its layers, names and forms, and its hold on them.

    One that is there already stays, and learns what it did not know. Raises InvalidArgument where
    a layer is neither new nor known.
    """
    for layer in new.layers:
        put_layer(tx, layer)
    document = document_of(new.config)
    diff_ids = [DiffId(Digest(each)) for each in document.rootfs.diff_ids]
    _refuse_unknown(tx, diff_ids)
    if manifest is not None:
        put_blob(tx, manifest)
    tx.execute(
        "INSERT INTO images (id, config, created_ns, added_ns, parent, manifest)"
        " VALUES (?, ?, ?, ?, (SELECT id FROM images WHERE id = ?), ?)"
        " ON CONFLICT (id) DO UPDATE SET"
        " manifest = coalesce(excluded.manifest, manifest),"
        " parent = coalesce(parent, excluded.parent)",
        (
            new.id,
            new.config,
            created_ns(document),
            time.time_ns(),
            new.parent,
            manifest.digest if manifest else None,
        ),
    )
    hold_layers(tx, HOLDER + new.id, diff_ids)
    hold_blobs(tx, HOLDER + new.id, [manifest.digest] if manifest else [])
    for form in new.forms:
        put_blob(tx, form.blob)
        put_layer_blob(tx, form.diff_id, form.blob.digest, form.media_type)
    for tag in new.tags:
        put_tag(tx, tag, new.id)
    for reference in new.repo_digests:
        put_digest(tx, reference, new.id)


def _refuse_unknown(tx: Transaction, diff_ids: Iterable[DiffId]) -> None:
    for diff_id in diff_ids:
        if not tx.execute("SELECT 1 FROM layers WHERE diff_id = ?", (diff_id,)).fetchone():
            raise InvalidArgument(f"the image needs layer {diff_id}, which is not here")


def put_tag(
    tx: Transaction, reference: Reference, image: ImageId, index: Digest | None = None
) -> None:
    """The name leads to this image from now on; by an index, where one is given."""
    tx.execute(
        "INSERT OR REPLACE INTO image_names (name, tag, image, idx) VALUES (?, ?, ?, ?)",
        (reference.name, reference.tag, image, index),
    )
    tx.execute("UPDATE images SET tagged_ns = ? WHERE id = ?", (time.time_ns(), image))


def put_digest(tx: Transaction, reference: Reference, image: ImageId) -> None:
    """The repository knows the image by this digest."""
    tx.execute(
        "INSERT OR REPLACE INTO image_digests (name, digest, image) VALUES (?, ?, ?)",
        (reference.name, reference.digest, image),
    )


def drop_reference(tx: Transaction, reference: Reference) -> None:
    if reference.digest:
        tx.execute(
            "DELETE FROM image_digests WHERE name = ? AND digest = ?",
            (reference.name, reference.digest),
        )
    else:
        tx.execute(
            "DELETE FROM image_names WHERE name = ? AND tag = ?", (reference.name, reference.tag)
        )


def drop(tx: Transaction, image: ImageId) -> None:
    """Forget an image with its names and digests, and let go of what it held."""
    for table in ("blob_holds", "layer_holds"):
        tx.execute(f"DELETE FROM {table} WHERE holder = ?", (HOLDER + image,))
    tx.execute("DELETE FROM images WHERE id = ?", (image,))


def _image(
    row: sqlite3.Row,
    document: ImageDocument,
    tags: tuple[Reference, ...],
    repo_digests: tuple[Reference, ...],
    size_bytes: int,
    platform_names: tuple[Reference, ...],
) -> Image:
    return Image(
        id=ImageId(Digest(row["id"])),
        document=document,
        raw=row["config"],
        tags=tags,
        repo_digests=repo_digests,
        platform_names=platform_names,
        size_bytes=size_bytes,
        parent=ImageId(Digest(row["parent"])) if row["parent"] else None,
        manifest=Digest(row["manifest"]) if row["manifest"] else None,
        tagged_ns=row["tagged_ns"],
    )


@lru_cache(512)
def document_of(config: bytes) -> ImageDocument:
    """The config, decoded once for all who ask."""
    return decode(config, ImageDocument)


def _tagged(row: sqlite3.Row) -> Reference:
    domain, _, path = row["name"].partition("/")
    return Reference(domain=domain, path=path, tag=row["tag"])


def _digested(row: sqlite3.Row) -> Reference:
    domain, _, path = row["name"].partition("/")
    return Reference(domain=domain, path=path, digest=Digest(row["digest"]))


def _by_platform(row: sqlite3.Row) -> Reference:
    return _digested(row) if row["tag"] is None else _tagged(row)
