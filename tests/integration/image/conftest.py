from collections.abc import Iterator
from pathlib import Path

import pytest

from support.rooms import Rooms


@pytest.fixture
def rooms(tmp_path: Path) -> Iterator[Rooms]:
    made = Rooms(tmp_path / "data")
    yield made
    made.close()
