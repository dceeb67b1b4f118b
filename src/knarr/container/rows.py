"""Containers between SQLite and the model."""

import sqlite3
from collections.abc import Iterator

from knarr.container.model import Container, Status
from knarr.ids import ContainerId, Digest, ImageId
from knarr.spec import decode, encode
from knarr.spec.record import ContainerRecord, ContainerState
from knarr.store import Database, Transaction


def load_all(db: Database) -> Iterator[Container]:
    """Every container, oldest first."""
    for row in db.query("SELECT * FROM containers ORDER BY created_ns, id"):
        yield _container(row)


def _container(row: sqlite3.Row) -> Container:
    return Container(
        id=ContainerId(row["id"]),
        name=row["name"],
        image=ImageId(Digest(row["image"])),
        created_ns=row["created_ns"],
        status=Status(row["status"]),
        record=decode(row["document"], ContainerRecord),
        state=decode(row["state"], ContainerState),
    )


def insert(tx: Transaction, container: Container) -> None:
    tx.execute(
        "INSERT INTO containers (id, name, image, created_ns, status, document, state)"
        " VALUES (?, ?, ?, ?, ?, ?, ?)",
        (
            container.id,
            container.name,
            container.image,
            container.created_ns,
            container.status.value,
            encode(container.record).decode(),
            encode(container.state).decode(),
        ),
    )


def update_state(tx: Transaction, container: Container) -> None:
    tx.execute(
        "UPDATE containers SET status = ?, state = ? WHERE id = ?",
        (container.status.value, encode(container.state).decode(), container.id),
    )


def update_document(tx: Transaction, container: Container) -> None:
    """Its name and its record: after a rename, an update, a network connected."""
    tx.execute(
        "UPDATE containers SET name = ?, document = ? WHERE id = ?",
        (container.name, encode(container.record).decode(), container.id),
    )


def delete(tx: Transaction, container: Container) -> None:
    tx.execute("DELETE FROM containers WHERE id = ?", (container.id,))
