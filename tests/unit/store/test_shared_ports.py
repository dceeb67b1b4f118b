"""Published ports of a database from before ports could be shared."""

import sqlite3

from knarr.store.migrations import migrate


def test_ports_of_before_belong_to_nobody_else() -> None:
    connection = sqlite3.connect(":memory:", isolation_level=None)
    migrate(connection, up_to=7)
    connection.execute(
        "INSERT INTO published_ports VALUES ('c1', 'tcp', '::', 80, 'fd00::2', 8080)"
    )
    migrate(connection)
    rows = connection.execute("SELECT * FROM published_ports").fetchall()
    assert rows == [("c1", "tcp", "::", 80, "fd00::2", 8080, "")]
    connection.execute(
        "INSERT INTO published_ports VALUES ('c2', 'tcp', '::', 80, 'fd00::3', 8080, 'app/web')"
    )
    connection.close()
