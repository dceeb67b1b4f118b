from collections.abc import Sequence

import pytest

from contract.snapshotter import SnapshotterContract
from knarr.snapshot import Snapshotter, Unpacked


class TestUnpacked(SnapshotterContract):
    @pytest.fixture
    def drivers(self) -> Sequence[Snapshotter]:
        return [Unpacked()]
