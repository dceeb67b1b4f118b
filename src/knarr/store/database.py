"""One SQLite database in WAL mode, used from the daemon's loop in short transactions.

A transaction carries its events: they are rows of the same commit, and are published after it.
"""

import json
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from knarr.errors import Unavailable
from knarr.events import Event, EventBus
from knarr.store.migrations import migrate

_EVENTS_KEPT: Final = 100_000

Parameters = Sequence[Any] | Mapping[str, Any]


class Transaction:
    """What one commit will hold. Handed out by ``Database.transaction`` alone."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self.events: list[Event] = []

    def execute(self, sql: str, parameters: Parameters = ()) -> sqlite3.Cursor:
        return self._connection.execute(sql, parameters)

    def executemany(
        self, sql: str, rows: Iterator[Sequence[Any]] | Sequence[Sequence[Any]]
    ) -> None:
        self._connection.executemany(sql, rows)

    def emit(self, event: Event) -> None:
        """Record the event with this commit; listeners hear of it afterwards."""
        self._connection.execute(
            "INSERT INTO events (time_ns, type, action, actor, attributes) VALUES (?, ?, ?, ?, ?)",
            (
                event.time_ns,
                event.type,
                event.action,
                event.actor,
                json.dumps(dict(event.attributes)),
            ),
        )
        self.events.append(event)


class Database:
    """Facts and references of one data root.

    In WAL mode with ``synchronous=NORMAL`` a power cut may lose the last commits, not their
    order.
    """

    def __init__(self, path: Path | str, bus: EventBus) -> None:
        self._bus = bus
        self._connection = sqlite3.connect(
            path, isolation_level=None, check_same_thread=False, cached_statements=512
        )
        self._connection.row_factory = sqlite3.Row
        for pragma in ("journal_mode=WAL", "synchronous=NORMAL", "foreign_keys=ON"):
            self._connection.execute(f"PRAGMA {pragma}")
        self._connection.execute("PRAGMA busy_timeout=5000")
        migrate(self._connection)

    @contextmanager
    def transaction(self) -> Iterator[Transaction]:
        """All or nothing. Short, never across an ``await``; the events go out after the commit.

        Raises Unavailable where the disk is full.
        """
        tx = Transaction(self._connection)
        try:
            self._connection.execute("BEGIN IMMEDIATE")
            yield tx
            self._connection.execute("COMMIT")
        except BaseException as error:
            if self._connection.in_transaction:  # a full disk has ended it already
                self._connection.execute("ROLLBACK")
            if isinstance(error, sqlite3.OperationalError) and _is_full(error):
                raise Unavailable("no space left on device for the engine's records") from error
            raise
        self._bus.publish(tx.events)

    def query(self, sql: str, parameters: Parameters = ()) -> list[sqlite3.Row]:
        """All rows of a SELECT."""
        return self._connection.execute(sql, parameters).fetchall()

    def query_one(self, sql: str, parameters: Parameters = ()) -> sqlite3.Row | None:
        """The first row of a SELECT, or None."""
        row: sqlite3.Row | None = self._connection.execute(sql, parameters).fetchone()
        return row

    def events_between(self, since_ns: int, until_ns: int) -> list[Event]:
        """Recorded events with ``since_ns <= time < until_ns``, oldest first."""
        rows = self.query(
            "SELECT * FROM events WHERE time_ns >= ? AND time_ns < ? ORDER BY time_ns, id",
            (since_ns, until_ns),
        )
        return [
            Event(
                type=row["type"],
                action=row["action"],
                actor=row["actor"],
                attributes=json.loads(row["attributes"]),
                time_ns=row["time_ns"],
            )
            for row in rows
        ]

    def forget_old_events(self) -> None:
        """Keep the newest events only; called once at start."""
        with self.transaction() as tx:
            tx.execute(
                "DELETE FROM events WHERE id <= (SELECT max(id) FROM events) - ?", (_EVENTS_KEPT,)
            )

    def close(self) -> None:
        self._connection.close()


def _is_full(error: sqlite3.OperationalError) -> bool:
    return error.sqlite_errorcode == sqlite3.SQLITE_FULL
