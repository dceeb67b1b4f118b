"""Images of a database from before a name could stand for several platforms."""

import sqlite3

from knarr.store.migrations import migrate


def test_names_of_before_stand_for_one_image() -> None:
    connection = sqlite3.connect(":memory:", isolation_level=None)
    migrate(connection, up_to=8)
    connection.execute("INSERT INTO images VALUES ('sha256:1', x'7b7d', 0, 0, NULL, NULL, NULL)")
    connection.execute("INSERT INTO image_names VALUES ('docker.io/library/a', '1', 'sha256:1')")
    migrate(connection)
    assert connection.execute("SELECT * FROM image_names").fetchall() == [
        ("docker.io/library/a", "1", "sha256:1", None)
    ]
    assert connection.execute("SELECT * FROM image_indexes").fetchall() == []
    connection.close()
