"""Layers and who holds them, between SQLite and values."""

import sqlite3
from collections.abc import Iterable, Sequence

from knarr.ids import DiffId, Digest
from knarr.snapshot.model import Layer
from knarr.store import Database, Transaction


def put_layer(tx: Transaction, layer: Layer) -> None:
    tx.execute(
        "INSERT OR IGNORE INTO layers (diff_id, tar_bytes, content_bytes, entries)"
        " VALUES (?, ?, ?, ?)",
        (layer.diff_id, layer.tar_bytes, layer.content_bytes, layer.entries),
    )


def put_layer_blob(tx: Transaction, diff_id: DiffId, digest: Digest, media_type: str) -> None:
    """A compressed form of a layer; both must have rows."""
    tx.execute(
        "INSERT OR REPLACE INTO layer_blobs (diff_id, digest, media_type) VALUES (?, ?, ?)",
        (diff_id, digest, media_type),
    )


def find_layer(db: Database, diff_id: DiffId) -> Layer | None:
    row = db.query_one("SELECT * FROM layers WHERE diff_id = ?", (diff_id,))
    return None if row is None else _layer(row)


def layer_blobs(db: Database, diff_id: DiffId) -> list[tuple[Digest, str]]:
    """The compressed forms of a layer that are here: digest and media type."""
    rows = db.query("SELECT digest, media_type FROM layer_blobs WHERE diff_id = ?", (diff_id,))
    return [(Digest(row["digest"]), row["media_type"]) for row in rows]


def hold_layers(tx: Transaction, holder: str, diff_ids: Iterable[DiffId]) -> None:
    """Keep these layers until ``holder`` lets go; their order is kept. They must have rows."""
    tx.executemany(
        "INSERT OR IGNORE INTO layer_holds (holder, diff_id, place) VALUES (?, ?, ?)",
        [(holder, diff_id, place) for place, diff_id in enumerate(diff_ids)],
    )


def release_layers(tx: Transaction, holder: str) -> None:
    tx.execute("DELETE FROM layer_holds WHERE holder = ?", (holder,))


def chains(db: Database, prefix: str) -> dict[str, tuple[DiffId, ...]]:
    """What each holder whose name begins so holds, lowest first, by the rest of its name."""
    rows = db.query(
        "SELECT holder, diff_id FROM layer_holds WHERE substr(holder, 1, ?) = ?"
        " ORDER BY holder, place",
        (len(prefix), prefix),
    )
    found: dict[str, tuple[DiffId, ...]] = {}
    for row in rows:
        name = row["holder"][len(prefix) :]
        found[name] = (*found.get(name, ()), DiffId(Digest(row["diff_id"])))
    return found


def all_layers(db: Database) -> dict[DiffId, Layer]:
    layers = [_layer(row) for row in db.query("SELECT * FROM layers")]
    return {layer.diff_id: layer for layer in layers}


def forget_unheld_layers(tx: Transaction) -> list[Layer]:
    """Delete the rows of layers that nobody holds."""
    rows = tx.execute(
        "DELETE FROM layers WHERE diff_id NOT IN (SELECT diff_id FROM layer_holds) RETURNING *"
    ).fetchall()
    return [_layer(row) for row in rows]


def holders_of(db: Database, diff_id: DiffId) -> Sequence[str]:
    rows = db.query("SELECT DISTINCT holder FROM layer_holds WHERE diff_id = ?", (diff_id,))
    return [row["holder"] for row in rows]


def _layer(row: sqlite3.Row) -> Layer:
    return Layer(
        diff_id=DiffId(Digest(row["diff_id"])),
        tar_bytes=row["tar_bytes"],
        content_bytes=row["content_bytes"],
        entries=row["entries"],
    )
