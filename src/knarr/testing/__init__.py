"""A whole engine for the length of a test: its own process, its own store, nothing left behind.

``knarr.engine(root=tmp_path)`` is a context manager, ``knarr_engine`` a fixture of pytest
(fixture.py). What is started is a daemon as anybody starts one; the client talks to it.
May import: client, errors.
"""

from knarr.testing.process import Engine, engine

__all__ = ["Engine", "engine"]
