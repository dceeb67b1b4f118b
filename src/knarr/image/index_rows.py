"""Indexes and the images of theirs that are here, between SQLite and values.

An index lives as long as a name or a repository digest leads to it. Each of these leads to one of
its images too: the one that runs on this machine best, or else the one that came first.
"""

from collections import defaultdict

from knarr.content import Blob
from knarr.content.rows import hold_blobs, put_blob, release_blobs
from knarr.ids import Digest, ImageId
from knarr.image.model import NewIndex, StoredIndex
from knarr.image.rows import document_of
from knarr.reference import Reference
from knarr.spec.oci.platform import best, machine_platform, platform_of
from knarr.store import Database, Transaction

HOLDER = "index/"


def of_reference(db: Database, reference: Reference) -> StoredIndex | None:
    """The index that a name or a repository digest stands for; None where it is one image's."""
    if reference.digest:
        row = db.query_one(
            "SELECT i.* FROM image_indexes i JOIN image_digests d USING (digest)"
            " WHERE d.name = ? AND d.digest = ?",
            (reference.name, reference.digest),
        )
    else:
        row = db.query_one(
            "SELECT i.* FROM image_indexes i JOIN image_names n ON n.idx = i.digest"
            " WHERE n.name = ? AND n.tag = ?",
            (reference.name, reference.tag),
        )
    return None if row is None else _stored(db, Digest(row["digest"]), row["media_type"])


def led_by(db: Database) -> dict[ImageId, tuple[StoredIndex, ...]]:
    """The indexes whose names lead to each image."""
    found: dict[ImageId, dict[Digest, StoredIndex]] = defaultdict(dict)
    for row in db.query(
        "SELECT n.image, i.* FROM image_names n JOIN image_indexes i ON n.idx = i.digest"
        " UNION SELECT d.image, i.* FROM image_digests d JOIN image_indexes i USING (digest)"
    ):
        digest = Digest(row["digest"])
        stored = _stored(db, digest, row["media_type"])
        found[ImageId(Digest(row["image"]))][digest] = stored
    return {image: tuple(indexes.values()) for image, indexes in found.items()}


def record(tx: Transaction, new: NewIndex, index: Blob, manifests: list[Blob]) -> None:
    """The index with its names. The blobs are stored and pinned; the images have rows.

    Images that are here by a manifest which the index names join it by themselves.
    """
    put_blob(tx, index)
    for blob in (*manifests, *new.attached):
        put_blob(tx, blob)
    tx.execute(
        "INSERT OR IGNORE INTO image_indexes (digest, media_type) VALUES (?, ?)",
        (index.digest, new.media_type),
    )
    joining = dict(new.images)
    for manifest in new.named:
        row = tx.execute("SELECT id FROM images WHERE manifest = ?", (manifest,)).fetchone()
        if row is not None:
            joining.setdefault(manifest, ImageId(Digest(row["id"])))
    for manifest, image in joining.items():
        tx.execute("INSERT OR REPLACE INTO image_variants (idx, manifest, image) VALUES (?, ?, ?)",
                   (index.digest, manifest, image))  # fmt: skip
    there = [each for each in joining if tx.execute(
        "SELECT 1 FROM blobs WHERE digest = ?", (each,)).fetchone()]  # fmt: skip
    kept = {index.digest, *there, *(blob.digest for blob in (*manifests, *new.attached))}
    hold_blobs(tx, HOLDER + index.digest, kept)
    some = next(iter(joining.values()))
    for tag in new.tags:
        tx.execute(
            "INSERT OR REPLACE INTO image_names (name, tag, image, idx) VALUES (?, ?, ?, ?)",
            (tag.name, tag.tag, some, index.digest),
        )
    for reference in new.repo_digests:
        tx.execute(
            "INSERT OR REPLACE INTO image_digests (name, digest, image) VALUES (?, ?, ?)",
            (reference.name, reference.digest, some),
        )
    lead(tx, index.digest)
    forget_unnamed(tx)


def lead(tx: Transaction, index: Digest) -> ImageId | None:
    """Let the names of an index lead to the best of its images; without any they go."""
    rows = tx.execute(
        "SELECT DISTINCT i.id, i.config, i.added_ns FROM image_variants v JOIN images i"
        " ON i.id = v.image WHERE v.idx = ? ORDER BY i.added_ns, i.id",
        (index,),
    ).fetchall()
    if not rows:
        tx.execute("DELETE FROM image_names WHERE idx = ?", (index,))
        tx.execute("DELETE FROM image_digests WHERE digest = ?", (index,))
        return None
    offers = [platform_of(document_of(row["config"])) for row in rows]
    place = best(machine_platform(), offers) or 0
    leader = ImageId(Digest(rows[place]["id"]))
    tx.execute("UPDATE image_names SET image = ? WHERE idx = ?", (leader, index))
    tx.execute("UPDATE image_digests SET image = ? WHERE digest = ?", (leader, index))
    return leader


def leave(tx: Transaction, image: ImageId, index: Digest | None = None) -> None:
    """The image belongs to this index no more; to none, where none is given."""
    rows = tx.execute(
        "DELETE FROM image_variants WHERE image = ? AND (? IS NULL OR idx = ?) RETURNING idx",
        (image, index, index),
    ).fetchall()
    for left in {Digest(row["idx"]) for row in rows}:
        lead(tx, left)
    forget_unnamed(tx)


def forget_unnamed(tx: Transaction) -> None:
    """Indexes that no name leads to any more, and what they held."""
    rows = tx.execute(
        "DELETE FROM image_indexes WHERE digest NOT IN"
        " (SELECT idx FROM image_names WHERE idx IS NOT NULL)"
        " AND digest NOT IN (SELECT digest FROM image_digests) RETURNING digest"
    ).fetchall()
    for row in rows:
        release_blobs(tx, HOLDER + row["digest"])


def lose(tx: Transaction, digest: Digest) -> None:
    """Its bytes are gone: names lead to one image from now on, which keeps its own manifest."""
    tx.execute("UPDATE image_names SET idx = NULL WHERE idx = ?", (digest,))
    gone = tx.execute("DELETE FROM image_indexes WHERE digest = ? RETURNING digest", (digest,))
    if gone.fetchall():
        release_blobs(tx, HOLDER + digest)


def _stored(db: Database, digest: Digest, media_type: str) -> StoredIndex:
    rows = db.query("SELECT manifest, image FROM image_variants WHERE idx = ?", (digest,))
    images = {Digest(row["manifest"]): ImageId(Digest(row["image"])) for row in rows}
    return StoredIndex(digest=digest, media_type=media_type, images=images)
