import os
from pathlib import Path

import pytest

from knarr.content.compression import refuse_bomb
from knarr.content.headroom import Budget, Headroom
from knarr.errors import InvalidArgument, Unavailable

GIB = 1 << 30


class Disk:
    """A file system of 100 GiB, of which a test says how much is free."""

    free_bytes = 50 * GIB

    def __call__(self, folder: Path) -> os.statvfs_result:
        return os.statvfs_result(
            (4096, 4096, 100 * GIB // 4096, 0, self.free_bytes // 4096, 0, 0, 0, 0, 255)
        )


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Disk:
    disk = Disk()
    monkeypatch.setattr(os, "statvfs", disk)
    return disk


def test_a_disk_with_room_takes_everything(disk: Disk, tmp_path: Path) -> None:
    headroom = Headroom(tmp_path, Budget())
    for _ in range(100):
        headroom.take(1 << 20)


def test_a_disk_that_is_nearly_full_refuses_before_anything_is_written(
    disk: Disk, tmp_path: Path
) -> None:
    disk.free_bytes = 200 << 20
    with pytest.raises(Unavailable, match="no space left on device: 210MB free"):
        Headroom(tmp_path, Budget())


def test_a_disk_that_fills_up_meanwhile_refuses_soon(disk: Disk, tmp_path: Path) -> None:
    headroom = Headroom(tmp_path, Budget())
    disk.free_bytes = 200 << 20
    for _ in range(31):
        headroom.take(1 << 20)
    with pytest.raises(Unavailable, match="268MB are kept"):
        headroom.take(1 << 20)


def test_a_bomb_is_refused_and_a_layer_of_zeros_is_not() -> None:
    refuse_bomb(GIB, 1)
    refuse_bomb(100 * GIB, 100 * GIB // 1032)
    with pytest.raises(InvalidArgument, match="unpacks to more than"):
        refuse_bomb(GIB + 1, 1000)


def test_a_budget_that_is_used_up_refuses_and_says_what_to_do(disk: Disk, tmp_path: Path) -> None:
    budget = Budget(10_000_000)
    first, second = Headroom(tmp_path, budget), Headroom(tmp_path, budget)
    first.take(6_000_000)
    with pytest.raises(Unavailable, match=r"disk budget of 10MB is used up.*system prune"):
        second.take(6_000_000)
    budget.used_bytes = 0
    second.take(6_000_000)
