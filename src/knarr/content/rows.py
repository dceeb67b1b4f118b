"""Blobs, who holds them, and leases, between SQLite and values."""

import time
from collections.abc import Iterable

from knarr.content.blobs import Blob
from knarr.ids import Digest
from knarr.store import Database, Transaction


def put_blob(tx: Transaction, blob: Blob) -> None:
    tx.execute(
        "INSERT OR IGNORE INTO blobs (digest, size_bytes) VALUES (?, ?)",
        (blob.digest, blob.size_bytes),
    )


def blob_size(db: Database, digest: Digest) -> int | None:
    """Bytes of a blob that is here, or None."""
    row = db.query_one("SELECT size_bytes FROM blobs WHERE digest = ?", (digest,))
    return None if row is None else int(row["size_bytes"])


def hold_blobs(tx: Transaction, holder: str, digests: Iterable[Digest]) -> None:
    """Keep these blobs until ``holder`` lets go. They must have rows."""
    tx.executemany(
        "INSERT OR IGNORE INTO blob_holds (holder, digest) VALUES (?, ?)",
        [(holder, digest) for digest in digests],
    )


def release_blobs(tx: Transaction, holder: str) -> None:
    tx.execute("DELETE FROM blob_holds WHERE holder = ?", (holder,))


def all_blobs(db: Database) -> set[Digest]:
    return {Digest(row["digest"]) for row in db.query("SELECT digest FROM blobs")}


def forget_unheld_blobs(tx: Transaction) -> list[Blob]:
    """Delete the rows of blobs that nobody holds and that are no form of a layer we have."""
    rows = tx.execute(
        "DELETE FROM blobs WHERE digest NOT IN (SELECT digest FROM blob_holds)"
        " AND digest NOT IN (SELECT digest FROM layer_blobs) RETURNING digest, size_bytes"
    ).fetchall()
    return [Blob(digest=Digest(row["digest"]), size_bytes=row["size_bytes"]) for row in rows]


def lease(tx: Transaction, holder: str, *, seconds: float | None = None) -> None:
    """A holder that ends by itself: after ``seconds``, or with this daemon."""
    until_ns = None if seconds is None else time.time_ns() + round(seconds * 1e9)
    tx.execute("INSERT OR REPLACE INTO leases (holder, until_ns) VALUES (?, ?)", (holder, until_ns))


def end_lease(tx: Transaction, holder: str) -> None:
    """Let go of all that was held under it."""
    release_blobs(tx, holder)
    tx.execute("DELETE FROM layer_holds WHERE holder = ?", (holder,))
    tx.execute("DELETE FROM leases WHERE holder = ?", (holder,))


def end_old_leases(tx: Transaction, *, now_ns: int, at_start: bool) -> None:
    """Those whose time is over; at start also those of the daemon before."""
    rows = tx.execute(
        "SELECT holder FROM leases WHERE until_ns <= ? OR (? AND until_ns IS NULL)",
        (now_ns, at_start),
    ).fetchall()
    for row in rows:
        end_lease(tx, row["holder"])
