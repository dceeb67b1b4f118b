"""The build cache between SQLite and values."""

import secrets
import sqlite3
import time
from collections.abc import Sequence

import msgspec

from knarr.build.model import CacheMountUse, Mark, NewRecord, Record
from knarr.ids import DiffId, Digest
from knarr.snapshot.rows import hold_layers, put_layer, release_layers
from knarr.store import Database, Transaction

HOLDER = "build/"


def find(db: Database, key: Digest) -> Record | None:
    """The record that ``key`` leads to."""
    row = db.query_one(
        "SELECT build_records.*, marks FROM build_keys JOIN build_records ON id = record"
        " WHERE key = ?",
        (key,),
    )
    if row is None:
        return None
    marks = msgspec.json.decode(row["marks"], type=tuple[Mark, ...])
    return _record(row, _chain(db, row["id"]), marks)


def every(db: Database) -> list[Record]:
    """All records, those used longest ago first."""
    rows = db.query("SELECT * FROM build_records ORDER BY used_ns, id")
    return [_record(row, _chain(db, row["id"])) for row in rows]


def put(tx: Transaction, new: NewRecord) -> Record:
    """Remember a result, and hold its layers. Keys that led elsewhere lead here now."""
    now_ns = time.time_ns()
    added = () if new.layer is None else (new.layer.diff_id,)
    record = Record(
        id=secrets.token_hex(16),
        kind=new.kind,
        description=new.description,
        diff_ids=(*new.below, *added),
        diff_id=new.layer.diff_id if new.layer else None,
        size_bytes=new.layer.content_bytes if new.layer else 0,
        time_ns=new.time_ns,
        made_ns=now_ns,
        used_ns=now_ns,
        uses=1,
        marks=new.marks,
    )
    if new.layer is not None:
        put_layer(tx, new.layer)
    tx.execute(
        "INSERT INTO build_records (id, kind, description, diff_id, size_bytes, time_ns, made_ns,"
        " used_ns, uses) VALUES (?, ?, ?, ?, ?, ?, ?, ?, 1)",
        (record.id, record.kind, record.description, record.diff_id, record.size_bytes,
         record.time_ns, now_ns, now_ns),
    )  # fmt: skip
    hold_layers(tx, HOLDER + record.id, record.diff_ids)
    add_key(tx, record.id, new.key, new.marks)
    add_key(tx, record.id, new.content_key)
    drop_unreachable(tx)
    return record


def add_key(tx: Transaction, record: str, key: Digest, marks: Sequence[Mark] = ()) -> None:
    """``marks`` belong to keys by definition: those by content are reached in many ways."""
    tx.execute(
        "INSERT OR REPLACE INTO build_keys (key, record, marks) VALUES (?, ?, ?)",
        (key, record, msgspec.json.encode(marks).decode()),
    )


def keys_of(db: Database, record: str) -> list[tuple[Digest, tuple[Mark, ...]]]:
    """All keys that lead to a record, with their marks."""
    found = db.query("SELECT key, marks FROM build_keys WHERE record = ? ORDER BY key", (record,))
    return [
        (Digest(row["key"]), msgspec.json.decode(row["marks"], type=tuple[Mark, ...]))
        for row in found
    ]


def adopt(
    tx: Transaction,
    *,
    kind: str,
    description: str,
    chain: Sequence[DiffId],
    adds: bool,
    size_bytes: int,
    time_ns: int,
    keys: Sequence[tuple[Digest, tuple[Mark, ...]]],
) -> None:
    """Remember what another engine did. The layers have rows already; adds: the last is its own."""
    now_ns = time.time_ns()
    record = secrets.token_hex(16)
    tx.execute(
        "INSERT INTO build_records (id, kind, description, diff_id, size_bytes, time_ns, made_ns,"
        " used_ns, uses) VALUES (?, ?, ?, ?, ?, ?, ?, ?, 0)",
        (record, kind, description, chain[-1] if adds else None, size_bytes, time_ns, now_ns,
         now_ns),
    )  # fmt: skip
    hold_layers(tx, HOLDER + record, chain)
    for key, marks in keys:
        add_key(tx, record, key, marks)


def drop_unreachable(tx: Transaction) -> None:
    """Forget records that no key leads to any more."""
    rows = tx.execute(
        "DELETE FROM build_records WHERE id NOT IN (SELECT record FROM build_keys) RETURNING id"
    ).fetchall()
    for row in rows:
        release_layers(tx, HOLDER + row["id"])


def used(tx: Transaction, record: str) -> None:
    tx.execute(
        "UPDATE build_records SET used_ns = ?, uses = uses + 1 WHERE id = ?",
        (time.time_ns(), record),
    )


def drop(tx: Transaction, record: str) -> None:
    release_layers(tx, HOLDER + record)
    tx.execute("DELETE FROM build_records WHERE id = ?", (record,))


def _chain(db: Database, record: str) -> tuple[DiffId, ...]:
    rows = db.query(
        "SELECT diff_id FROM layer_holds WHERE holder = ? ORDER BY place", (HOLDER + record,)
    )
    return tuple(DiffId(Digest(row["diff_id"])) for row in rows)


def _record(row: sqlite3.Row, diff_ids: tuple[DiffId, ...], marks: tuple[Mark, ...] = ()) -> Record:
    return Record(
        id=row["id"],
        kind=row["kind"],
        description=row["description"],
        diff_ids=diff_ids,
        diff_id=row["diff_id"],
        size_bytes=row["size_bytes"],
        time_ns=row["time_ns"],
        made_ns=row["made_ns"],
        used_ns=row["used_ns"],
        uses=row["uses"],
        marks=marks,
    )


# Cache mounts


def use_mount(tx: Transaction, identity: str, number: int, name: str) -> None:
    now_ns = time.time_ns()
    tx.execute(
        "INSERT INTO build_mounts (id, number, name, made_ns, used_ns, uses)"
        " VALUES (?, ?, ?, ?, ?, 1) ON CONFLICT DO UPDATE SET used_ns = ?, uses = uses + 1",
        (identity, number, name, now_ns, now_ns, now_ns),
    )


def measured_mount(tx: Transaction, identity: str, number: int, size_bytes: int) -> None:
    tx.execute(
        "UPDATE build_mounts SET size_bytes = ? WHERE id = ? AND number = ?",
        (size_bytes, identity, number),
    )


def drop_mount(tx: Transaction, identity: str, number: int) -> None:
    tx.execute("DELETE FROM build_mounts WHERE id = ? AND number = ?", (identity, number))


def mounts(db: Database) -> list[CacheMountUse]:
    """All cache mounts, those used longest ago first."""
    return [
        CacheMountUse(
            id=row["id"],
            number=row["number"],
            name=row["name"],
            size_bytes=row["size_bytes"],
            made_ns=row["made_ns"],
            used_ns=row["used_ns"],
            uses=row["uses"],
        )
        for row in db.query("SELECT * FROM build_mounts ORDER BY used_ns, id, number")
    ]
