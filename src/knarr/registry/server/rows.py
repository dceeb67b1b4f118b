"""Repositories, manifests and tags, between SQLite and values."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from knarr.content import Blob
from knarr.content.rows import hold_blobs, put_blob
from knarr.ids import Digest
from knarr.registry.manifests import Fetched
from knarr.registry.server.manifests import Judged
from knarr.spec.oci.image import Descriptor
from knarr.store import Database, Transaction

HOLDER: Final = "registry"
_ID: Final = "(SELECT id FROM registry_repositories WHERE name = ?)"


@dataclass(frozen=True, slots=True, kw_only=True)
class Tagged:
    """What a tag stands for, and since when."""

    digest: Digest
    media_type: str
    size_bytes: int
    tagged_ns: int


# -- repositories ---------------------------------------------------------------------------------


def repositories(db: Database, after: str = "", limit: int = -1) -> list[str]:
    """Names in lexical order. limit: -1 is all."""
    rows = db.query(
        "SELECT name FROM registry_repositories WHERE name > ? ORDER BY name LIMIT ?",
        (after, limit),
    )
    return [row["name"] for row in rows]


def repositories_with(db: Database, digest: Digest) -> list[str]:
    """Those that have a blob."""
    rows = db.query(
        "SELECT name FROM registry_repositories r JOIN registry_blobs b ON b.repository = r.id"
        " WHERE b.digest = ?",
        (digest,),
    )
    return [row["name"] for row in rows]


def repository_bytes(db: Database, name: str) -> int:
    """Bytes of all that a repository has, shared with others or not."""
    row = db.query_one(
        "SELECT SUM(size_bytes) AS total FROM registry_blobs JOIN blobs USING (digest)"
        f" WHERE repository = {_ID}",
        (name,),
    )
    return int(row["total"] or 0) if row else 0


def has_repository(db: Database, name: str) -> bool:
    return db.query_one("SELECT 1 FROM registry_repositories WHERE name = ?", (name,)) is not None


def _repository(tx: Transaction, name: str) -> int:
    tx.execute("INSERT OR IGNORE INTO registry_repositories (name) VALUES (?)", (name,))
    row = tx.execute("SELECT id FROM registry_repositories WHERE name = ?", (name,)).fetchone()
    return int(row["id"])


# -- blobs ----------------------------------------------------------------------------------------


def link_blob(tx: Transaction, name: str, blob: Blob, now_ns: int) -> None:
    """The repository has this blob from now on; it is in the store."""
    put_blob(tx, blob)
    hold_blobs(tx, HOLDER, [blob.digest])
    tx.execute(
        "INSERT INTO registry_blobs (repository, digest, touched_ns) VALUES (?, ?, ?)"
        " ON CONFLICT DO UPDATE SET touched_ns = excluded.touched_ns",
        (_repository(tx, name), blob.digest, now_ns),
    )


def linked_size(db: Database, name: str, digest: Digest) -> int | None:
    """Bytes of a blob that this repository has; None where it does not."""
    row = db.query_one(
        "SELECT size_bytes FROM registry_blobs JOIN blobs USING (digest)"
        f" WHERE repository = {_ID} AND digest = ?",
        (name, digest),
    )
    return None if row is None else int(row["size_bytes"])


def touch_blob(tx: Transaction, name: str, digest: Digest, now_ns: int) -> None:
    """A push has asked for it and will count on it."""
    tx.execute(
        f"UPDATE registry_blobs SET touched_ns = ? WHERE repository = {_ID} AND digest = ?",
        (now_ns, name, digest),
    )


def unlink_blob(tx: Transaction, name: str, digest: Digest) -> bool:
    """False when the repository does not have it, or a manifest of it does."""
    gone = tx.execute(
        f"DELETE FROM registry_blobs WHERE repository = {_ID} AND digest = ?"
        " AND NOT EXISTS (SELECT 1 FROM registry_manifests m"
        "  WHERE m.repository = registry_blobs.repository AND m.digest = registry_blobs.digest)",
        (name, digest),
    )
    return gone.rowcount > 0


# -- manifests ------------------------------------------------------------------------------------


def missing_parts(tx: Transaction, name: str, judged: Judged) -> list[Digest]:
    """What a manifest names and the repository does not have."""
    missing = []
    for digest in judged.blobs:
        row = tx.execute(
            f"SELECT 1 FROM registry_blobs WHERE repository = {_ID} AND digest = ?", (name, digest)
        ).fetchone()
        missing += [] if row else [digest]
    for digest in judged.manifests:
        row = tx.execute(
            f"SELECT 1 FROM registry_manifests WHERE repository = {_ID} AND digest = ?",
            (name, digest),
        ).fetchone()
        missing += [] if row else [digest]
    return missing


def put_manifest(
    tx: Transaction, name: str, manifest: Fetched, judged: Judged, now_ns: int
) -> None:
    """Its bytes are in the store, its parts in the repository."""
    blob = Blob(digest=manifest.digest, size_bytes=len(manifest.raw))
    link_blob(tx, name, blob, now_ns)
    repository = _repository(tx, name)
    tx.execute(
        "INSERT INTO registry_manifests (repository, digest, media_type, size_bytes, subject,"
        " artifact_type, annotations, pushed_ns) VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
        " ON CONFLICT DO UPDATE SET pushed_ns = excluded.pushed_ns,"
        " media_type = excluded.media_type",
        (
            repository,
            manifest.digest,
            manifest.media_type,
            len(manifest.raw),
            judged.subject,
            judged.artifact_type,
            json.dumps(dict(judged.annotations)),
            now_ns,
        ),
    )
    tx.executemany(
        "INSERT OR IGNORE INTO registry_parts (repository, manifest, digest) VALUES (?, ?, ?)",
        [(repository, manifest.digest, part) for part in (*judged.blobs, *judged.manifests)],
    )


def put_tag(tx: Transaction, name: str, tag: str, digest: Digest, now_ns: int) -> None:
    tx.execute(
        "INSERT INTO registry_tags (repository, tag, digest, tagged_ns) VALUES (?, ?, ?, ?)"
        " ON CONFLICT DO UPDATE SET digest = excluded.digest, tagged_ns = excluded.tagged_ns",
        (_repository(tx, name), tag, digest, now_ns),
    )


def tagged(db: Database, name: str, tag: str) -> Tagged | None:
    row = db.query_one(
        "SELECT digest, media_type, size_bytes, tagged_ns FROM registry_tags"
        f" JOIN registry_manifests USING (repository, digest) WHERE repository = {_ID}"
        " AND tag = ?",
        (name, tag),
    )
    if row is None:
        return None
    return Tagged(
        digest=Digest(row["digest"]),
        media_type=row["media_type"],
        size_bytes=row["size_bytes"],
        tagged_ns=row["tagged_ns"],
    )


def manifest(db: Database, name: str, digest: Digest) -> Descriptor | None:
    """The descriptor of a manifest that the repository has."""
    row = db.query_one(
        "SELECT media_type, size_bytes FROM registry_manifests"
        f" WHERE repository = {_ID} AND digest = ?",
        (name, digest),
    )
    if row is None:
        return None
    return Descriptor(media_type=row["media_type"], digest=digest, size=row["size_bytes"])


def tags(db: Database, name: str, after: str = "", limit: int = -1) -> list[str]:
    """In lexical order. limit: -1 is all."""
    rows = db.query(
        f"SELECT tag FROM registry_tags WHERE repository = {_ID} AND tag > ? ORDER BY tag LIMIT ?",
        (name, after, limit),
    )
    return [row["tag"] for row in rows]


def referrers(db: Database, name: str, subject: Digest) -> list[Descriptor]:
    """Manifests that are about this one, oldest first."""
    rows = db.query(
        "SELECT digest, media_type, size_bytes, artifact_type, annotations FROM registry_manifests"
        f" WHERE repository = {_ID} AND subject = ? ORDER BY pushed_ns, digest",
        (name, subject),
    )
    return [
        Descriptor(
            media_type=row["media_type"],
            digest=row["digest"],
            size=row["size_bytes"],
            artifact_type=row["artifact_type"],
            annotations=json.loads(row["annotations"]),
        )
        for row in rows
    ]


def delete_tag(tx: Transaction, name: str, tag: str) -> bool:
    gone = tx.execute(
        f"DELETE FROM registry_tags WHERE repository = {_ID} AND tag = ?", (name, tag)
    )
    return gone.rowcount > 0


def delete_manifest(tx: Transaction, name: str, digest: Digest) -> bool:
    """With the tags that stand for it. Its parts stay, until they are collected."""
    gone = tx.execute(
        f"DELETE FROM registry_manifests WHERE repository = {_ID} AND digest = ?", (name, digest)
    )
    return gone.rowcount > 0


def annotations(db: Database, name: str, digest: Digest) -> dict[str, str]:
    row = db.query_one(
        f"SELECT annotations FROM registry_manifests WHERE repository = {_ID} AND digest = ?",
        (name, digest),
    )
    found: dict[str, str] = json.loads(row["annotations"]) if row else {}
    return found


# -- collection -----------------------------------------------------------------------------------


def manifests_without_tag(db: Database, before_ns: int) -> Iterator[tuple[str, Digest]]:
    """Those pushed before a moment which no tag leads to: not by name, not as a part of an index,
    not as what a manifest with a tag is the subject of."""
    rows = db.query(
        """
        WITH RECURSIVE wanted (repository, digest) AS (
            SELECT repository, digest FROM registry_tags
            UNION
            SELECT p.repository, p.digest FROM wanted w JOIN registry_parts p
                ON p.repository = w.repository AND p.manifest = w.digest
            UNION
            SELECT m.repository, m.digest FROM wanted w JOIN registry_manifests m
                ON m.repository = w.repository AND m.subject = w.digest
        )
        SELECT r.name, m.digest FROM registry_manifests m
            JOIN registry_repositories r ON r.id = m.repository
        WHERE m.pushed_ns < ? AND NOT EXISTS (
            SELECT 1 FROM wanted w WHERE w.repository = m.repository AND w.digest = m.digest)
        """,
        (before_ns,),
    )
    return ((row["name"], Digest(row["digest"])) for row in rows)


def unlink_unnamed_blobs(tx: Transaction, before_ns: int) -> int:
    """Take from each repository the blobs that none of its manifests names, but for young ones."""
    gone = tx.execute(
        """
        DELETE FROM registry_blobs WHERE touched_ns < ?
            AND NOT EXISTS (SELECT 1 FROM registry_manifests m
                WHERE m.repository = registry_blobs.repository AND m.digest = registry_blobs.digest)
            AND NOT EXISTS (SELECT 1 FROM registry_parts p
                WHERE p.repository = registry_blobs.repository AND p.digest = registry_blobs.digest)
        """,
        (before_ns,),
    )
    return gone.rowcount


def release_unlinked(tx: Transaction) -> int:
    """Let go of the blobs that no repository has any more; and of empty repositories."""
    gone = tx.execute(
        "DELETE FROM blob_holds WHERE holder = ?"
        " AND digest NOT IN (SELECT digest FROM registry_blobs)",
        (HOLDER,),
    )
    tx.execute(
        "DELETE FROM registry_repositories WHERE id NOT IN (SELECT repository FROM registry_blobs)"
    )
    return gone.rowcount


def lose_blob(tx: Transaction, digest: Digest) -> None:
    """Its bytes are gone: no repository has it any more, nor a manifest of that digest.

    Manifests that name it stay: a push of them finds it missing, and sends it again.
    """
    tx.execute("DELETE FROM registry_manifests WHERE digest = ?", (digest,))
    tx.execute("DELETE FROM registry_blobs WHERE digest = ?", (digest,))
