import pytest

from knarr.errors import Unsupported
from knarr.events import Event, EventBus
from knarr.store import Database


def test_events_are_published_after_the_commit_and_kept() -> None:
    bus = EventBus()
    seen: list[Event] = []
    bus.on_event(seen.append)
    db = Database(":memory:", bus)
    with db.transaction() as tx:
        tx.emit(Event(type="container", action="start", actor="c1", time_ns=5))
        assert seen == []
    assert [event.action for event in seen] == ["start"]
    assert db.events_between(0, 6) == seen
    assert db.events_between(6, 9) == []


def test_a_failed_transaction_leaves_neither_rows_nor_events() -> None:
    bus = EventBus()
    seen: list[Event] = []
    bus.on_event(seen.append)
    db = Database(":memory:", bus)

    def break_off() -> None:
        with db.transaction() as tx:
            tx.emit(Event(type="container", action="start", actor="c1"))
            raise RuntimeError

    with pytest.raises(RuntimeError):
        break_off()
    assert seen == []
    assert db.query("SELECT * FROM events") == []


def test_a_database_of_a_newer_knarr_is_refused(tmp_path: object) -> None:
    path = f"{tmp_path}/knarr.db"
    db = Database(path, EventBus())
    with db.transaction() as tx:
        tx.execute("INSERT INTO migrations VALUES (9999)")
    db.close()
    with pytest.raises(Unsupported, match="upgrade knarr"):
        Database(path, EventBus())
