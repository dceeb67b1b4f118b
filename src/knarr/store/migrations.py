"""Numbered files of SQL, each applied once, in order, all or nothing."""

import re
import sqlite3
from importlib import resources
from typing import Final

from knarr.errors import Unsupported

_FILE: Final = re.compile(r"(\d{4})_\w+\.sql")


def migrations() -> dict[int, str]:
    """The SQL of each migration by its number."""
    found: dict[int, str] = {}
    for entry in resources.files("knarr.store").joinpath("schema").iterdir():
        if match := _FILE.fullmatch(entry.name):
            found[int(match[1])] = entry.read_text()
    return dict(sorted(found.items()))


def migrate(connection: sqlite3.Connection, *, up_to: int | None = None) -> None:
    """Bring the schema to the newest version (or ``up_to``). Refuses a database from the future."""
    connection.execute("CREATE TABLE IF NOT EXISTS migrations (number INTEGER PRIMARY KEY) STRICT")
    done = {row[0] for row in connection.execute("SELECT number FROM migrations")}
    known = migrations()
    if unknown := done - known.keys():
        raise Unsupported(
            f"this data root was made by a newer knarr (schema {max(unknown)}): upgrade knarr"
        )
    for number, sql in known.items():
        if number in done or (up_to is not None and number > up_to):
            continue
        connection.executescript(
            f"BEGIN;\n{sql}\nINSERT INTO migrations VALUES ({number});\nCOMMIT;"
        )
