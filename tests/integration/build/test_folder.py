"""A folder as a build context: what is remembered of it, and what is noticed all the same."""

import os
import socket
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from knarr.build.folder import FolderContext
from knarr.build.foldercontents import FolderContents
from knarr.build.foldertable import Stamp, may_change_unseen
from knarr.build.merkle import beneath
from knarr.build.tree import ArchiveTree, Entry, walk
from knarr.errors import Conflict
from knarr.patterns import IgnoreRules
from knarr.snapshot.tar import Member, header

_HOUR_NS = 3_600_000_000_000


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "context"
    for name, text in {
        "a": "A",
        "b": "B",
        "src/c": "C",
        "src/deep/d": "D",
        "doc/e.md": "E",
    }.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    (folder / "src/link").symlink_to("c")
    (folder / "empty").mkdir()
    return folder


class Looking:
    """Opens the folder again and again, as builds do."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.reads: list[str] = []

    def open(self, rules: str = "", later_ns: int = 0) -> FolderContext:
        """later_ns: by how much later than now the folder is said to be looked at."""
        table = self.folder.parent / "table"
        parsed = IgnoreRules.parse(rules) if rules else None
        context = FolderContext(self.folder, parsed, table)
        context._looked_ns += later_ns
        digests = context._contents.digests

        def noted(folder: str, files: Mapping[str, Stamp]) -> dict[str, bytes]:
            self.reads += [f"{folder}/{name}" if folder else name for name in files]
            return digests(folder, files)

        context._contents.digests = noted  # type: ignore[method-assign]
        return context

    def digest(self, rules: str = "", *, later_ns: int = _HOUR_NS) -> bytes:
        self.reads.clear()
        context = self.open(rules, later_ns)
        try:
            return beneath(context, "")
        finally:
            context.close()


@pytest.fixture
def looking(folder: Path) -> Looking:
    return Looking(folder)


def test_nothing_is_read_again_where_nothing_changed(looking: Looking) -> None:
    first = looking.digest()
    assert sorted(looking.reads) == ["a", "b", "doc/e.md", "src/c", "src/deep/d"]
    assert looking.digest() == first
    assert looking.reads == []


def test_only_the_file_that_changed_is_read(looking: Looking) -> None:
    first = looking.digest()
    (looking.folder / "src/c").write_text("c")
    assert looking.digest() != first
    assert looking.reads == ["src/c"]
    looking.digest()
    assert looking.reads == []


def _chmod(folder: Path) -> None:
    (folder / "src/c").chmod(0o755)


def _chmod_of_a_folder(folder: Path) -> None:
    (folder / "src").chmod(0o700)


def _renamed_folder(folder: Path) -> None:
    (folder / "src").rename(folder / "lib")


def _folders_swapped(folder: Path) -> None:
    (folder / "src").rename(folder / "x")
    (folder / "doc").rename(folder / "src")
    (folder / "x").rename(folder / "doc")


def _relinked(folder: Path) -> None:
    (folder / "src/link").unlink()
    (folder / "src/link").symlink_to("d")


def _through_another_link(folder: Path) -> None:
    """The file's other name lies outside of the context."""
    os.link(folder / "src/c", folder.parent / "other")
    (folder.parent / "other").write_text("!")


def _with_its_time_set_back(folder: Path) -> None:
    before = (folder / "a").stat()
    (folder / "a").write_text("Z")
    os.utime(folder / "a", ns=(before.st_atime_ns, before.st_mtime_ns))


def _put_in_its_place(folder: Path) -> None:
    before = (folder / "a").stat()
    (folder / "new").write_text("Z")
    os.utime(folder / "new", ns=(before.st_atime_ns, before.st_mtime_ns))
    (folder / "new").rename(folder / "a")


def _gone(folder: Path) -> None:
    (folder / "src/deep/d").unlink()


def _new_empty_folder(folder: Path) -> None:
    (folder / "src/new").mkdir()


def _folder_for_a_file(folder: Path) -> None:
    (folder / "a").unlink()
    (folder / "a").mkdir()


@pytest.mark.parametrize(
    "change",
    [
        _chmod, _chmod_of_a_folder, _renamed_folder, _folders_swapped, _relinked,
        _through_another_link, _with_its_time_set_back, _put_in_its_place, _gone,
        _new_empty_folder, _folder_for_a_file,
    ],
)  # fmt: skip
def test_a_change_is_noticed(looking: Looking, change: Callable[[Path], None]) -> None:
    before = looking.digest()
    change(looking.folder)
    after = looking.digest()
    assert after != before
    (looking.folder.parent / "table").unlink()
    assert looking.digest() == after  # as one who never saw it before


def test_a_file_that_was_only_touched_is_the_same(looking: Looking) -> None:
    before = looking.digest()
    os.utime(looking.folder / "src/c", ns=(1, 1))
    assert looking.digest() == before


def test_a_change_within_one_tick_of_the_clock_is_noticed(looking: Looking) -> None:
    """Size, inode and both times may then be the same as when the file was looked at."""
    for round_number in range(20):
        with (looking.folder / "a").open("r+") as file:
            file.write("x")
        before = looking.digest(later_ns=0)
        with (looking.folder / "a").open("r+") as file:
            file.write("y")
        assert looking.digest(later_ns=0) != before, round_number


def test_a_stamp_can_be_trusted_once_the_clock_has_gone_on() -> None:
    now_ns = 1_700_000_000_123_456_789
    assert may_change_unseen(now_ns, now_ns)
    assert may_change_unseen(now_ns + 5, now_ns)  # a clock that was set back
    assert may_change_unseen(now_ns - 10_000_000, now_ns)
    assert not may_change_unseen(now_ns - 60_000_001, now_ns)
    whole_second = 1_700_000_000_000_000_000
    assert may_change_unseen(whole_second, whole_second + 1_900_000_000)
    assert not may_change_unseen(whole_second, whole_second + 2_200_000_000)


def _archive(context: FolderContext) -> ArchiveTree:
    tree = ArchiveTree(b"")
    for entry in walk(context, ""):
        tree.add(context.entry(entry.path) or entry)
    return tree


def test_an_archive_of_the_same_files_has_the_same_digest(looking: Looking) -> None:
    context = looking.open()
    assert beneath(context, "") == beneath(_archive(context), "")
    assert beneath(context, "src") == beneath(_archive(context), "src")
    context.close()


def test_what_the_rules_exclude_does_not_count(looking: Looking) -> None:
    rules = "doc\n*.log\n!src/keep.log\n"
    before = looking.digest(rules)
    (looking.folder / "doc/e.md").write_text("other")
    (looking.folder / "new.log").write_text("other")
    assert looking.digest(rules) == before
    assert looking.reads == []
    (looking.folder / "src/keep.log").write_text("kept")
    assert looking.digest(rules) != before
    assert looking.reads == ["src/keep.log"]


def test_an_excluded_folder_is_there_only_for_what_is_in_it_after_all(looking: Looking) -> None:
    (looking.folder / "empty/sub").mkdir()
    (looking.folder / "empty/sub/x.txt").write_text("x")
    context = looking.open("empty\n!empty/**/*.md\n")
    assert "empty" not in context.names("")
    context.close()
    (looking.folder / "empty/sub/y.md").write_text("y")
    context = looking.open("empty\n!empty/**/*.md\n")
    assert [entry.path for entry in walk(context, "empty")] == ["empty/sub", "empty/sub/y.md"]
    context.close()


def test_other_rules_do_not_have_files_read_again(looking: Looking) -> None:
    whole = looking.digest()
    looking.digest("a\n")
    assert looking.reads == []
    assert looking.digest() == whole


def test_a_table_that_is_broken_or_anothers_is_not_believed(looking: Looking) -> None:
    first = looking.digest()
    table = looking.folder.parent / "table"
    for damage in (b"", b"garbage", table.read_bytes()[:50]):
        table.write_bytes(damage)
        assert looking.digest() == first
        assert len(looking.reads) == 5


def test_a_removed_folder_leaves_the_table(looking: Looking) -> None:
    from knarr.build import foldertable

    looking.digest()
    table = looking.folder.parent / "table"
    assert "src/deep" in foldertable.load(table, str(looking.folder))
    (looking.folder / "src/deep/d").unlink()
    (looking.folder / "src/deep").rmdir()
    (looking.folder / "src/c").write_text("changed")
    looking.digest()
    assert set(foldertable.load(table, str(looking.folder))) == {"", "doc", "empty", "src"}


def test_a_socket_is_not_there(looking: Looking, monkeypatch: pytest.MonkeyPatch) -> None:
    before = looking.digest()
    monkeypatch.chdir(looking.folder)  # a socket's path must be short
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind("s")
        assert looking.digest() == before


def test_folders_may_lie_as_deep_as_the_kernel_lets_them() -> None:
    tree = ArchiveTree(b"")
    path = "/".join("d" for _ in range(2000))
    tree.add(Entry(path, Member(path.encode(), header.DIRECTORY, 0o755, 0, 0, 0, 0)))
    assert sum(1 for _ in walk(tree, "")) == 2000
    assert len(beneath(tree, "")) == 32


def _copied(context: FolderContext, path: str) -> bytes:
    entry = context.entry(path)
    assert entry is not None
    return b"".join(context.read(entry))


def test_a_layer_gets_what_the_digest_was_made_of(looking: Looking) -> None:
    context = looking.open()
    beneath(context, "")
    (looking.folder / "a").write_text("Z")
    assert _copied(context, "a") == b"A"
    context.close()


def test_what_changes_between_the_digest_and_the_copy_is_noticed(looking: Looking) -> None:
    """Where it was not kept: because it is large, was copied before, or not read this time."""
    (looking.folder / "large").write_bytes(b"A" * 300_000)
    context = looking.open(later_ns=_HOUR_NS)
    beneath(context, "")
    assert _copied(context, "a") == b"A"
    for name in ("a", "large"):
        with (looking.folder / name).open("r+") as file:
            file.write("Z")
        with pytest.raises(Conflict, match=f"{name} changed while the build was reading it"):
            _copied(context, name)
    assert _copied(context, "b") == b"B"
    context.close()
    context = looking.open(later_ns=_HOUR_NS)
    beneath(context, "")
    (looking.folder / "src/c").write_text("Z")
    with pytest.raises(Conflict, match="src/c changed"):
        _copied(context, "src/c")
    context.close()


def _becomes_a_pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


@pytest.mark.parametrize("size", [2, 5000])
@pytest.mark.parametrize(
    "change",
    [
        Path.unlink,
        _becomes_a_pipe,
        lambda path: path.write_bytes(path.read_bytes()[1:]),
        lambda path: path.write_bytes(path.read_bytes() + b"more"),
    ],
    ids=["gone", "a pipe", "shorter", "longer"],
)
def test_what_is_no_longer_as_it_was_found_is_noticed(
    looking: Looking, size: int, change: Callable[[Path], object]
) -> None:
    path = looking.folder / "a"
    path.write_bytes(bytes(size))
    context = looking.open()
    context.names("")
    change(path)
    with pytest.raises(Conflict, match="a changed while the build was reading it"):
        beneath(context, "")
    context.close()


def test_more_is_read_than_can_be_kept(looking: Looking) -> None:
    root = os.open(looking.folder, os.O_RDONLY | os.O_DIRECTORY)
    contents = FolderContents(root, kept_bytes=1)
    stamp = (0, 1, 0, 0, 0, 1)
    digests = contents.digests("", {"a": stamp, "b": stamp})
    (looking.folder / "a").write_text("Z")
    (looking.folder / "b").write_text("Z")
    assert list(contents.read("a", 1, digests["a"])) == [b"A"]
    with pytest.raises(Conflict):
        list(contents.read("b", 1, digests["b"]))
    contents.close()
    os.close(root)
