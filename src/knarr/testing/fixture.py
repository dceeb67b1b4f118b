"""``knarr_engine`` for pytest: found by itself where knarr is installed."""

from collections.abc import Iterator

import pytest

from knarr.testing.process import Engine, engine


@pytest.fixture(scope="session")
def knarr_engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    """One engine for all tests of a run; it is empty at first, and gone afterwards."""
    with engine(root=tmp_path_factory.mktemp("knarr-engine")) as running:
        yield running
