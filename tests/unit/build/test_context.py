"""A context that streams in."""

import bz2
import gzip
import io
import lzma
import tarfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from knarr.build.context import inside
from knarr.errors import InvalidArgument
from knarr.patterns import IgnoreRules
from support.trees import spooled, tar


def test_each_file_is_known_by_its_digest(tmp_path: Path) -> None:
    import hashlib

    with spooled(tmp_path, tar({"d/": None, "d/a": "content"}, uid=7)) as archive:
        entry = archive.tree.entry("d/a")
        assert entry is not None
        assert entry.digest == hashlib.sha256(b"content").digest()
        assert b"".join(archive.tree.read(entry)) == b"content"
        assert (entry.member.uid, entry.member.gid) == (0, 0)
    assert not (tmp_path / "context.tar").exists()


@pytest.mark.parametrize("pack", [gzip.compress, bz2.compress, lzma.compress, bytes])
def test_it_may_be_packed(tmp_path: Path, pack: object) -> None:
    raw = pack(tar({"a": "A" * 5000}))  # type: ignore[operator]
    with spooled(tmp_path, raw, chunk=37) as archive:
        assert archive.tree.names("") == ["a"]


def test_directories_that_are_only_implied_are_there(tmp_path: Path) -> None:
    with spooled(tmp_path, tar({"./a/b/c": "C"})) as archive:
        assert archive.tree.names("a/b") == ["c"]
        entry = archive.tree.entry("a/b")
        assert entry is not None
        assert entry.is_directory


def test_a_later_member_replaces_an_earlier_one(tmp_path: Path) -> None:
    with spooled(tmp_path, tar({"a/x": "X", "a": "file now"})) as archive:
        assert archive.tree.names("a") == []
        entry = archive.tree.entry("a")
        assert entry is not None
        assert b"".join(archive.tree.read(entry)) == b"file now"


@pytest.mark.parametrize("name", ["../x", "a/../../x", "/../x"])
def test_a_name_that_climbs_out_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(InvalidArgument, match="outside the build context"):
        spooled(tmp_path, tar({name: "X"}))


def test_a_hard_link_to_nothing_is_refused(tmp_path: Path) -> None:
    link = tarfile.TarInfo("a")
    link.type, link.linkname = tarfile.LNKTYPE, "../../etc/shadow"
    with pytest.raises(InvalidArgument):
        spooled(tmp_path, tar({"a": link}))


@pytest.mark.parametrize("raw", [b"not a tar" * 100, tar({"a": "A" * 3000})[:1500]])
def test_what_is_no_archive_is_refused(tmp_path: Path, raw: bytes) -> None:
    with pytest.raises(InvalidArgument):
        spooled(tmp_path, raw)


def test_an_empty_body_is_an_empty_context(tmp_path: Path) -> None:
    with spooled(tmp_path, b"") as archive:
        assert archive.tree.names("") == []


def test_what_is_ignored_is_not_there(tmp_path: Path) -> None:
    files = {"a.md": "1", "keep.md": "2", "d/": None, "d/x": "3", "e/": None, "e/keep": "4"}
    with spooled(tmp_path, tar(files)) as archive:
        archive.tree.hide(IgnoreRules.parse("*.md\n!keep.md\nd\ne\n!e/keep\n"))
        assert archive.tree.names("") == ["e", "keep.md"]
        assert archive.tree.names("e") == ["keep"]
        assert archive.tree.entry("d/x") is None


def test_holes_of_a_sparse_file_are_filled(tmp_path: Path) -> None:
    import os
    import subprocess

    sparse = tmp_path / "sparse"
    with open(sparse, "wb") as file:
        file.seek(1 << 20)
        file.write(b"end")
    raw = subprocess.run(
        ["tar", "-C", os.fspath(tmp_path), "-cS", "sparse"], capture_output=True, check=True
    ).stdout
    assert len(raw) < 1 << 20
    with spooled(tmp_path, raw) as archive:
        entry = archive.tree.entry("sparse")
        assert entry is not None
        assert b"".join(archive.tree.read(entry)) == sparse.read_bytes()


@given(st.lists(st.sampled_from(["a", "..", ".", "", "b"]), max_size=6))
def test_no_name_leads_outside(parts: list[str]) -> None:
    name = "/".join(parts)
    try:
        path = inside(name)
    except InvalidArgument:
        return
    assert ".." not in path.split("/")
    assert not path.startswith("/")


def test_large_files_are_read_in_pieces(tmp_path: Path) -> None:
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w") as archive:
        info = tarfile.TarInfo("big")
        info.size = 3 << 20
        archive.addfile(info, io.BytesIO(bytes(info.size)))
    with spooled(tmp_path, raw.getvalue(), chunk=1 << 20) as received:
        entry = received.tree.entry("big")
        assert entry is not None
        assert [len(piece) for piece in received.tree.read(entry)] == [1 << 20] * 3
