"""COPY and ADD from trees to a layer's archive."""

import gzip
from collections.abc import Sequence
from pathlib import Path

import pytest

from knarr.build.copying import Copying, selection_digest
from knarr.build.draft import EmptyTree
from knarr.build.ops import Copy, Selection
from knarr.build.tree import Tree
from knarr.errors import InvalidArgument
from support.trees import listed, spooled, tar, tree

BASE = tree(
    {
        "etc/passwd": "root:x:0:0::/:\napp:x:1000:1001::/home/app:\n",
        "etc/group": "staff:x:50:app\n",
        "app": None,
        "lib": "-> usr/lib",
        "usr/lib/x": "old",
        "gone": "-> nowhere/deep",
        "file": "F",
    }
)


def layer(
    op: Copy, *inputs: Tree, base: Tree = BASE, scratch: Path = Path(), **times: int
) -> dict[str, str]:
    pieces: list[bytes] = []
    copying = Copying(op, base, inputs, scratch=scratch, **times)
    copying.write(lambda piece: pieces.append(bytes(piece)))
    return listed(b"".join(pieces))


def copy(paths: Sequence[str], destination: str, **fields: object) -> Copy:
    selections = (Selection(input=1, paths=tuple(paths)),)
    return Copy(selections=selections, destination=destination, **fields)  # type: ignore[arg-type]


SOURCE = tree({"a": "A", "d/x": "X", "d/sub/y": "Y", "lib/z": "Z"})


def test_a_file_takes_the_destinations_name() -> None:
    assert layer(copy(["a"], "/new/name"), SOURCE) == {"new/": "dir 755", "new/name": "A 644"}


def test_an_existing_directory_takes_the_file_in_and_stays_as_it_is() -> None:
    assert layer(copy(["a"], "/app"), SOURCE) == {"app/": "dir 755", "app/a": "A 644"}


def test_the_contents_of_a_directory_are_copied() -> None:
    assert layer(copy(["d"], "/app/"), SOURCE) == {
        "app/": "dir 755",
        "app/sub/": "dir 755",
        "app/sub/y": "Y 644",
        "app/x": "X 644",
    }


def test_links_among_the_bases_directories_are_followed() -> None:
    assert layer(copy(["a"], "/lib/new"), SOURCE) == {
        "usr/": "dir 755",
        "usr/lib/": "dir 755",
        "usr/lib/new": "A 644",
    }
    assert layer(copy(["."], "/"), tree({"lib/z": "Z"})) == {
        "usr/": "dir 755",
        "usr/lib/": "dir 755",
        "usr/lib/z": "Z 644",
    }
    assert layer(copy(["a"], "/gone/b"), SOURCE) == {
        "nowhere/": "dir 755",
        "nowhere/deep/": "dir 755",
        "nowhere/deep/b": "A 644",
    }


def test_a_linked_copy_follows_nothing() -> None:
    op = copy(["a"], "/lib/new", follow=False)
    assert layer(op, SOURCE, base=EmptyTree()) == {"lib/": "dir 755", "lib/new": "A 644"}


def test_owners_are_looked_up_in_the_base() -> None:
    assert layer(copy(["a"], "/n/a", owner="app:staff"), SOURCE) == {
        "n/": "dir 755 1000:50",
        "n/a": "A 644 1000:50",
    }
    assert layer(copy(["a"], "/a", owner="app"), SOURCE) == {"a": "A 644 1000:1001"}
    assert layer(copy(["a"], "/a", owner="7"), SOURCE) == {"a": "A 644 7:7"}


def test_an_unknown_owner_is_refused() -> None:
    with pytest.raises(InvalidArgument, match="no such user: nobody"):
        layer(copy(["a"], "/a", owner="nobody"), SOURCE)
    with pytest.raises(InvalidArgument, match="no such group: wheel"):
        layer(copy(["a"], "/a", owner="app:wheel"), SOURCE)


def test_modes_are_changed_as_chmod_would() -> None:
    assert layer(copy(["a"], "/a", mode="0600"), SOURCE) == {"a": "A 600"}
    assert layer(copy(["d"], "/d", mode="u=rwX,go=rX"), SOURCE)["d/sub/"] == "dir 755"
    assert layer(copy(["d"], "/d", mode="go-r"), SOURCE)["d/x"] == "X 600"


def test_a_file_cannot_be_put_where_a_directory_is() -> None:
    with pytest.raises(InvalidArgument, match="cannot overwrite directory /app/x with a file"):
        layer(copy(["."], "/app"), tree({"x": "1"}), base=tree({"app/x": None}))


def test_a_directory_cannot_be_put_where_a_file_is() -> None:
    with pytest.raises(InvalidArgument, match="cannot copy to non-directory: /file"):
        layer(copy(["d"], "/file"), SOURCE)
    with pytest.raises(InvalidArgument, match="cannot copy to non-directory: /file"):
        layer(copy(["a"], "/file/a"), SOURCE)


def test_of_several_files_under_one_name_the_last_is_kept() -> None:
    """As in BuildKit, where a wildcard finds more than one; a folder takes all of them."""
    assert set(layer(copy(["a", "d/x"], "/new/"), SOURCE)) == {"new/", "new/a", "new/x"}
    texts = tree({"one.txt": "1", "two.txt": "2"})
    assert layer(copy(["*.txt", "*.none"], "/new"), texts) == {"new": "2 644"}


def test_parents_are_kept() -> None:
    assert set(layer(copy(["d/sub/y", "a"], "/p/", parents=True), SOURCE)) == {
        "p/", "p/a", "p/d/", "p/d/sub/", "p/d/sub/y",
    }  # fmt: skip


def test_what_is_excluded_does_not_come_along() -> None:
    assert set(layer(copy(["d"], "/e", exclude=("sub",)), SOURCE)) == {"e/", "e/x"}


def test_the_layer_is_the_same_whatever_the_order_of_the_source() -> None:
    one = tree({"b": "B", "a": "A", "d/c": "C"})
    other = tree({"d/c": "C", "a": "A", "b": "B"})
    assert list(layer(copy(["."], "/x"), one)) == list(layer(copy(["."], "/x"), other))
    assert list(layer(copy(["."], "/x"), one)) == ["x/", "x/a", "x/b", "x/d/", "x/d/c"]


def test_hard_links_stay_links(tmp_path: Path) -> None:
    import tarfile

    link = tarfile.TarInfo("b")
    link.type, link.linkname = tarfile.LNKTYPE, "a"
    with spooled(tmp_path, tar({"a": "same", "b": link})) as archive:
        assert layer(copy(["."], "/"), archive.tree) == {"a": "same 644", "b": "== a"}
        assert layer(copy(["b"], "/c"), archive.tree) == {"c": "same 644"}


def add(path: str, destination: str, unpack: bool | None) -> Copy:
    selections = (Selection(input=1, paths=(path,), unpack=unpack),)
    return Copy(selections=selections, destination=destination)


def test_a_local_archive_is_unpacked(tmp_path: Path) -> None:
    packed = gzip.compress(tar({"x/": None, "x/y": "Y"}, uid=5, gid=6))
    source = _with_file(tmp_path, "app.tgz", packed)
    found = layer(add("app.tgz", "/opt/", None), source, scratch=tmp_path)
    assert found == {"opt/": "dir 755", "opt/x/": "dir 755 5:6", "opt/x/y": "Y 644 5:6"}
    assert set(layer(add("app.tgz", "/opt/", False), source, scratch=tmp_path)) == {
        "opt/",
        "opt/app.tgz",
    }


def test_what_only_looks_like_an_archive_is_copied(tmp_path: Path) -> None:
    source = _with_file(tmp_path, "notes.tar.gz", gzip.compress(b"just text, long enough" * 50))
    assert set(layer(add("notes.tar.gz", "/o/", None), source, scratch=tmp_path)) == {
        "o/",
        "o/notes.tar.gz",
    }


def _with_file(folder: Path, name: str, content: bytes) -> Tree:
    """A tree of one file of any bytes."""
    import io
    import tarfile

    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w") as archive:
        info = tarfile.TarInfo(name)
        info.size = len(content)
        archive.addfile(info, io.BytesIO(content))
    made = spooled(folder, raw.getvalue())
    made._path.unlink()
    return made.tree


def test_no_time_is_later_than_the_epoch_that_was_asked_for() -> None:
    op = copy(["a"], "/n/a")
    pieces: list[bytes] = []
    Copying(op, BASE, [SOURCE], scratch=Path(), latest_ns=0, made_ns=5_000_000_000).write(
        lambda piece: pieces.append(bytes(piece))
    )
    from knarr.snapshot.tar import members

    assert {member.mtime_ns for member in members(b"".join(pieces))} == {0}


def test_a_touched_file_is_the_same_file() -> None:
    op = copy(["."], "/x")
    before = tree({"a": "A"})
    touched = tree({"a": "A"})
    entry = touched.entries["a"]
    touched.entries["a"] = entry._replace(member=entry.member._replace(mtime_ns=10**18))
    (selection,) = op.selections
    assert selection_digest(before, op, selection) == selection_digest(touched, op, selection)


@pytest.mark.parametrize(
    "changed", [{"a": "B"}, {"b": "A"}, {"a": "A", "b": "B"}, {"a": "-> A"}, {"a": None}]
)
def test_a_changed_file_is_another_one(changed: dict[str, str | None]) -> None:
    op = copy(["."], "/x")
    (selection,) = op.selections
    before = selection_digest(tree({"a": "A"}), op, selection)
    assert before != selection_digest(tree(changed), op, selection)
    assert before != selection_digest(tree({"a": "A"}, mode=0o755), op, selection)
