from collections.abc import Sequence
from pathlib import Path

import pytest

from contract.snapshotter import SnapshotterContract
from knarr.snapshot import Snapshotter, TarIndex, Unpacked


@pytest.mark.needs("erofs")
class TestDetached(SnapshotterContract):
    """With the unpacked driver for what an index cannot say, as the daemon has it."""

    @pytest.fixture
    def drivers(self, tmp_path: Path) -> Sequence[Snapshotter]:
        return [TarIndex(tmp_path / "run", detached=True), Unpacked()]


@pytest.mark.needs("erofs")
class TestAttached(SnapshotterContract):
    @pytest.fixture
    def drivers(self, tmp_path: Path) -> Sequence[Snapshotter]:
        return [TarIndex(tmp_path / "run", detached=False), Unpacked()]
