"""SQLite: facts and references. Short transactions that carry their events; numbered migrations.

May import: events, errors.
"""

from knarr.store.database import Database, Transaction

__all__ = ["Database", "Transaction"]
