"""Both drivers make the same tree of whatever archive, or both refuse it."""

import shutil
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from knarr.errors import InvalidArgument
from knarr.snapshot import Layers, TarIndex, Unpacked
from support import recipes

part = st.sampled_from(["a", "b", ".wh.a", ".wh.b", ".wh..wh..opq", "c", "x" * 200, "."])
name = st.lists(part, min_size=1, max_size=3).map("/".join)
mode = st.sampled_from(["644", "755", "4755", "0", "1777"])
owner = st.sampled_from([0, 7, 100_000])


def member(kind: str, **more: Any) -> st.SearchStrategy[dict[str, Any]]:
    fixed = {"type": st.just(kind), "name": name, "mode": mode, "uid": owner, "gid": owner}
    return st.fixed_dictionaries({**fixed, **more})


members = st.lists(
    st.one_of(
        member("file", content=st.text("xyz", max_size=3), repeat=st.sampled_from([1, 100, 400])),
        member("dir"),
        member("symlink", link=st.sampled_from(["a", "b/c", "/", "..", "t" * 470, "t" * 700])),
        member("link", link=name),
        member("fifo"),
        member("char", major=st.just(1), minor=st.sampled_from([3, 300])),
        member("file", pax=st.just({"SCHILY.xattr.user.k": "v" * 300})),
    ),
    max_size=12,
)


def made(layers: Layers, tar: bytes) -> dict[str, str] | str:
    try:
        with layers.writer() as writer:
            writer.write(tar)
            layer = writer.commit()
    except InvalidArgument:
        return "refused"
    lines = recipes.tree(layers.lower(layer.diff_id))
    return {name: line.replace(" now", "") for name, line in lines.items()}


@pytest.mark.needs("root", "erofs")
@settings(max_examples=150, deadline=None)
@given(members=members)
def test_unpacked_and_indexed_are_the_same(members: list[dict[str, Any]]) -> None:
    folder = Path(tempfile.mkdtemp(prefix="knsame"))
    index = TarIndex(folder / "run", detached=True)
    try:
        tar = recipes.built({"members": members})
        unpacked = made(Layers(folder / "unpacked", [Unpacked()]), tar)
        indexed = made(Layers(folder / "indexed", [index, Unpacked()]), tar)
        assert indexed == unpacked
    finally:
        index.close()
        shutil.rmtree(folder)


@pytest.mark.needs("root", "erofs")
@pytest.mark.parametrize("count", [1, 30, 31, 32, 500, 5000])
def test_directories_of_all_sizes_are_found_by_name(tmp_path: Path, count: int) -> None:
    index = TarIndex(tmp_path / "run", detached=True)
    layers = Layers(tmp_path, [index])
    listed = [f"d/{'n' * (number % 40)}{number}" for number in range(count)]
    tar = recipes.built({"members": [{"name": each, "content": each} for each in listed]})
    with layers.writer() as writer:
        writer.write(tar)
        layer = writer.commit()
    root = layers.lower(layer.diff_id)
    for each in listed:
        assert (root / each).read_text() == each
    assert not (root / "d/no such name").exists()
    assert len(list((root / "d").iterdir())) == count
    index.close()
