"""Which files the kernel says have changed, when whole folders go and come."""

import shutil
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from knarr.compose.file_events import FileEvents
from support.waiting import until


class Told:
    """What a watcher tells, gathered in the background."""

    def __init__(self, events: FileEvents) -> None:
        self.events = events
        self.paths: set[str] = set()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        for changed in self.events.batches(0.01, 1.0):
            self.paths |= changed

    def about(self, *paths: Path) -> None:
        """Until all of these were told."""
        wanted = set(map(str, paths))
        until(lambda: wanted <= self.paths, say=lambda: str(self.paths))

    def stop(self) -> None:
        self.events.stop()
        self._thread.join()


@pytest.fixture
def top(tmp_path: Path) -> Path:
    top = tmp_path / "project/code"
    (top / "deep").mkdir(parents=True)
    for name in ("one", "two", "deep/three"):
        (top / name).write_text(name)
    return top


@pytest.fixture
def told(top: Path) -> Iterator[Told]:
    with FileEvents([str(top)]) as events:
        told = Told(events)
        yield told
        told.stop()


def test_of_a_folder_that_was_moved_away_the_files_are_told_and_the_new_one_is_watched(
    told: Told, top: Path
) -> None:
    top.rename(top.with_name("old"))
    told.about(top / "one", top / "two", top / "deep/three")
    assert str(top) not in told.paths
    told.paths.clear()
    top.mkdir()
    (top / "one").write_text("new")
    told.about(top / "one")
    (top / "later").write_text("watched still")
    told.about(top / "later")
    told.paths.clear()
    (top.with_name("old") / "two").write_text("nobody's any more")
    (top / "last").write_text("x")
    told.about(top / "last")
    assert told.paths == {str(top / "last")}


def test_what_was_changed_since_is_known_when_the_folder_goes(told: Told, top: Path) -> None:
    (top / "deep/four").write_text("4")
    (top / "two").unlink()
    told.about(top / "deep/four", top / "two")
    told.paths.clear()
    (top / "deep").rename(top.parent / "elsewhere")
    told.about(top / "deep/three", top / "deep/four", top / "deep")
    assert str(top / "two") not in told.paths


def test_one_that_was_deleted_and_made_anew_is_watched_again(told: Told, top: Path) -> None:
    for _ in range(3):
        shutil.rmtree(top)
        (top / "deep").mkdir(parents=True)
        (top / "deep/three").write_text("again")
        told.about(top / "deep/three")
        told.paths.clear()
        (top / "deep/four").write_text("x")
        told.about(top / "deep/four")
        told.paths.clear()


def test_so_is_one_whose_parent_went_and_came(told: Told, top: Path) -> None:
    top.parent.rename(top.parents[1] / "before")
    told.about(top / "one")
    told.paths.clear()
    top.mkdir(parents=True)
    (top / "one").write_text("new")
    told.about(top / "one")
    shutil.rmtree(top.parent)
    told.paths.clear()
    top.mkdir(parents=True)
    (top / "five").write_text("5")
    told.about(top / "five")


def test_a_folder_above_that_cannot_be_read_is_done_without(
    top: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    added = FileEvents._add

    def refused(self: FileEvents, folder: str) -> bool:
        return folder != str(top.parent) and added(self, folder)

    monkeypatch.setattr(FileEvents, "_add", refused)
    with FileEvents([str(top)]) as events:
        told = Told(events)
        (top / "one").write_text("1")
        told.about(top / "one")
        told.stop()
