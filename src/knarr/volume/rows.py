"""Volumes, and who has them, between SQLite and the model."""

import json
import sqlite3
from collections import defaultdict
from collections.abc import Callable, Collection

from knarr.store import Database, Transaction
from knarr.volume.model import Volume

Place = Callable[[str], str]  # from a volume's name to where its data is


def load(db: Database, name: str, place: Place) -> Volume | None:
    row = db.query_one("SELECT * FROM volumes WHERE name = ?", (name,))
    return _volume(row, place) if row is not None else None


def load_all(db: Database, place: Place) -> tuple[Volume, ...]:
    """Every volume, by name."""
    return tuple(_volume(row, place) for row in db.query("SELECT * FROM volumes ORDER BY name"))


def _volume(row: sqlite3.Row, place: Place) -> Volume:
    return Volume(
        name=row["name"],
        driver=row["driver"],
        mountpoint=place(row["name"]),
        created_ns=row["created_ns"],
        labels=json.loads(row["labels"]),
        options=json.loads(row["options"]),
    )


def insert(tx: Transaction, volume: Volume) -> None:
    tx.execute(
        "INSERT INTO volumes (name, driver, created_ns, labels, options) VALUES (?, ?, ?, ?, ?)",
        (
            volume.name,
            volume.driver,
            volume.created_ns,
            json.dumps(dict(volume.labels)),
            json.dumps(dict(volume.options)),
        ),
    )


def delete(tx: Transaction, name: str) -> None:
    tx.execute("DELETE FROM volumes WHERE name = ?", (name,))


def rename(tx: Transaction, name: str, new_name: str) -> None:
    """Only for a volume that nobody has: the users refer to it by name."""
    tx.execute("UPDATE volumes SET name = ? WHERE name = ?", (new_name, name))


def users(db: Database) -> dict[str, tuple[str, ...]]:
    """The containers that have each volume."""
    found: defaultdict[str, list[str]] = defaultdict(list)
    for row in db.query("SELECT volume, container FROM volume_users ORDER BY volume, container"):
        found[row["volume"]].append(row["container"])
    return {volume: tuple(containers) for volume, containers in found.items()}


def users_of(db: Database, name: str) -> tuple[str, ...]:
    rows = db.query(
        "SELECT container FROM volume_users WHERE volume = ? ORDER BY container", (name,)
    )
    return tuple(row["container"] for row in rows)


def add_user(tx: Transaction, name: str, container: str) -> None:
    tx.execute(
        "INSERT INTO volume_users (volume, container) VALUES (?, ?) ON CONFLICT DO NOTHING",
        (name, container),
    )


def drop_user(tx: Transaction, name: str, container: str) -> None:
    tx.execute("DELETE FROM volume_users WHERE volume = ? AND container = ?", (name, container))


def count_mount(tx: Transaction, name: str, container: str, by: int) -> None:
    """One more mount in the container, or one less; never less than none."""
    tx.execute(
        "UPDATE volume_users SET mounts = max(0, mounts + ?) WHERE volume = ? AND container = ?",
        (by, name, container),
    )


def mounts(db: Database, name: str) -> int:
    """How often the volume is mounted in all containers together."""
    row = db.query_one("SELECT sum(mounts) AS mounts FROM volume_users WHERE volume = ?", (name,))
    return int(row["mounts"] or 0) if row is not None else 0


def settle(tx: Transaction, existing: Collection[str], running: Collection[str]) -> None:
    """What is so after a start: only containers that exist have volumes, running ones mounts."""
    known = tx.execute("SELECT DISTINCT container FROM volume_users").fetchall()
    for (container,) in known:
        if container not in existing:
            tx.execute("DELETE FROM volume_users WHERE container = ?", (container,))
        elif container not in running:
            tx.execute("UPDATE volume_users SET mounts = 0 WHERE container = ?", (container,))
