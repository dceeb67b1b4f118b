"""Where copies land, and archives that must not reach outside."""

import io
import os
import tarfile
from pathlib import Path

import pytest

from knarr.cli.copying.pack import packed
from knarr.cli.copying.plan import Landing, Place, Target, landing, renamed
from knarr.cli.copying.unpack import PieceReader, unpack
from knarr.errors import InvalidArgument


@pytest.mark.parametrize(
    ("text", "container", "path"),
    [
        ("one:/tmp", "one", "/tmp"), ("one:", "one", ""), ("/a:b", "", "/a:b"),
        ("./a:b", "", "./a:b"), ("file", "", "file"), ("-", "", "-"), ("one:a:b", "one", "a:b"),
    ],
)  # fmt: skip
def test_a_place_is_here_or_in_a_container(text: str, container: str, path: str) -> None:
    assert Place.parse(text) == Place(container=container, path=path)


FOLDER = Target(path="/d", exists=True, is_folder=True)
FILE = Target(path="/d/f", exists=True)


@pytest.mark.parametrize(
    ("is_folder", "target", "place"),
    [
        (False, FOLDER, Landing(folder="/d")),
        (True, FOLDER, Landing(folder="/d")),
        (False, FILE, Landing(folder="/d", name="f")),
        (False, Target(path="/d/new"), Landing(folder="/d", name="new")),
        (True, Target(path="/d/new"), Landing(folder="/d", name="new")),
        (True, Target(path="/d/new/"), Landing(folder="/d", name="new")),
        (True, Target(path="/d/new/."), Landing(folder="/d", name="new")),
        (False, Target(path="new"), Landing(folder=".", name="new")),
    ],
)
def test_copies_land_as_cp_lands_them(is_folder: bool, target: Target, place: Landing) -> None:
    assert landing(is_folder, target) == place


@pytest.mark.parametrize(
    ("is_folder", "target", "problem"),
    [
        (True, FILE, "cannot copy directory"),
        (False, Target(path="/d/new/"), "no such directory"),
    ],
)
def test_what_does_not_fit_is_refused(is_folder: bool, target: Target, problem: str) -> None:
    with pytest.raises(InvalidArgument, match=problem):
        landing(is_folder, target)


@pytest.mark.parametrize(
    ("name", "new", "content", "result"),
    [
        ("d/a", None, False, "d/a"), ("d", "e", False, "e"), ("d/a/b", "e", False, "e/a/b"),
        ("./a", None, True, "a"), ("./a", "e", True, "e/a"), (".", "e", True, "e"),
        (".", None, True, "."),
    ],
)  # fmt: skip
def test_entries_are_renamed(name: str, new: str | None, content: bool, result: str) -> None:
    assert renamed(name, new, content=content) == result


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    root = tmp_path / "tree"
    (root / "sub" / "deep").mkdir(parents=True)
    (root / "file").write_bytes(b"x" * 1000)
    (root / "sub" / "empty").write_bytes(b"")
    (root / "sub" / "link").symlink_to("../file")
    (root / "sub" / "folder-link").symlink_to("deep")
    os.link(root / "file", root / "sub" / "hard")
    (root / "file").chmod(0o751)
    os.utime(root / "file", (1000, 2000))
    return root


def test_a_tree_comes_back_as_it_was(tree: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    size = unpack(packed(str(tree), None), str(out), None, content=False, keep_owners=True)
    back = out / "tree"
    assert size == 1000
    assert (back / "file").read_bytes() == b"x" * 1000
    assert (back / "file").stat().st_mode & 0o7777 == 0o751
    assert (back / "file").stat().st_mtime == 2000
    assert os.readlink(back / "sub" / "link") == "../file"
    assert os.readlink(back / "sub" / "folder-link") == "deep"
    assert (back / "sub" / "hard").stat().st_ino == (back / "file").stat().st_ino
    assert (back / "sub" / "deep").is_dir()


def test_the_content_of_a_folder_lands_without_the_folder(tree: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    unpack(packed(f"{tree}/.", None), str(out), None, content=True, keep_owners=False)
    assert (out / "file").exists()
    assert not (out / "tree").exists()


def test_a_file_that_shrinks_meanwhile_is_filled_up(tree: Path) -> None:
    pieces = packed(str(tree / "file"), None)
    head = next(pieces)
    (tree / "file").write_bytes(b"y" * 10)
    raw = head + b"".join(pieces)
    with tarfile.open(fileobj=io.BytesIO(raw)) as tar:
        member = tar.next()
        assert member is not None
        assert member.size == 1000
        source = tar.extractfile(member)
        assert source is not None
        assert len(source.read()) == 1000


def archive(*entries: tuple[str, bytes, str, bytes]) -> list[bytes]:
    """Entries of (name, type, link, content) as pieces."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for name, kind, link, content in entries:
            info = tarfile.TarInfo(name)
            info.type, info.linkname, info.size = kind, link, len(content)
            tar.addfile(info, io.BytesIO(content))
    raw = out.getvalue()
    return [raw[place : place + 700] for place in range(0, len(raw), 700)]


@pytest.mark.parametrize(
    "entries",
    [
        [("../evil", tarfile.REGTYPE, "", b"x")],
        [("a/../../evil", tarfile.REGTYPE, "", b"x")],
        [("a", tarfile.SYMTYPE, "..", b""), ("a/evil", tarfile.REGTYPE, "", b"x")],
        [("a", tarfile.SYMTYPE, "/", b""), ("a/tmp/evil", tarfile.REGTYPE, "", b"x")],
        [("a", tarfile.LNKTYPE, "../secret", b"")],
        [("l", tarfile.SYMTYPE, "..", b""), ("a", tarfile.LNKTYPE, "l/secret", b"")],
    ],
)
def test_nothing_reaches_outside_the_folder(
    tmp_path: Path, entries: list[tuple[str, bytes, str, bytes]]
) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (tmp_path / "secret").write_text("s")
    with pytest.raises(InvalidArgument, match="would write outside its folder"):
        unpack(archive(*entries), str(out), None, content=False, keep_owners=False)
    assert not (tmp_path / "evil").exists()


def test_a_link_in_the_way_is_replaced_and_not_followed(tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (tmp_path / "secret").write_text("s")
    (out / "f").symlink_to("../secret")
    unpack(archive(("f", tarfile.REGTYPE, "", b"new")), str(out), None,
           content=False, keep_owners=False)  # fmt: skip
    assert (tmp_path / "secret").read_text() == "s"
    assert (out / "f").read_text() == "new"


def test_a_folder_is_not_replaced_by_a_file(tmp_path: Path) -> None:
    (tmp_path / "f").mkdir()
    with pytest.raises(InvalidArgument, match="cannot overwrite directory"):
        unpack(archive(("f", tarfile.REGTYPE, "", b"x")), str(tmp_path), None,
               content=False, keep_owners=False)  # fmt: skip


def test_an_absolute_name_lands_beneath(tmp_path: Path) -> None:
    unpack(archive(("/etc/x", tarfile.REGTYPE, "", b"x")), str(tmp_path), None,
           content=False, keep_owners=False)  # fmt: skip
    assert (tmp_path / "etc" / "x").read_text() == "x"


def test_pieces_read_as_a_file() -> None:
    reader = PieceReader([b"abc", b"", b"defg"])
    assert [reader.read(2), reader.read(4), reader.read(9), reader.read(1)] == [
        b"ab", b"cdef", b"g", b"",
    ]  # fmt: skip
