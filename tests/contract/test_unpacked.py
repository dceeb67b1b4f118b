import pytest

from contract.snapshotter import SnapshotterContract
from knarr.snapshot import Snapshotter, Unpacked


class TestUnpacked(SnapshotterContract):
    @pytest.fixture
    def driver(self) -> Snapshotter:
        return Unpacked()
