"""What every snapshotter promises; a driver's tests inherit it and give the fixture ``drivers``."""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from knarr.errors import InvalidArgument, NotFound
from knarr.ids import DiffId, Digest
from knarr.snapshot import Layer, Layers, Snapshotter
from knarr.snapshot.overlay import view
from knarr.snapshot.tar import Limits
from support import images, recipes

GOLDEN = recipes.recipes()
REFUSED = recipes.recipes("negative")
OPENED = os.O_RDONLY | os.O_DIRECTORY


def stored(layers: Layers, tar: bytes) -> Layer:
    with layers.writer() as writer:
        writer.write(tar)
        return writer.commit()


@pytest.mark.needs("root", "overlay")
class SnapshotterContract:
    @pytest.fixture
    def layers(self, drivers: Sequence[Snapshotter], tmp_path: Path) -> Iterator[Layers]:
        made = Layers(tmp_path, drivers)
        yield made
        made.sweep([])

    @pytest.mark.parametrize("case", GOLDEN)
    def test_a_layer_becomes_the_tree_it_describes(self, layers: Layers, case: str) -> None:
        recipe = GOLDEN[case]
        layer = stored(layers, recipes.built(recipe))
        assert recipes.tree(layers.lower(layer.diff_id)) == recipe["tree"], recipe["why"]

    @pytest.mark.parametrize("case", REFUSED)
    def test_a_hostile_layer_is_refused_and_leaves_nothing(
        self, layers: Layers, tmp_path: Path, case: str
    ) -> None:
        outside = tmp_path.parent / "outside"
        outside.mkdir(exist_ok=True)
        (outside / "secret").write_text("kept")
        recipe = REFUSED[case]
        with pytest.raises(InvalidArgument) as caught:
            stored(layers, recipes.built(recipe))
        assert recipe["refused"] in str(caught.value), recipe["why"]
        assert list(layers.diff_ids()) == []
        assert os.listdir(tmp_path / "layers" / "tmp") == []
        assert os.listdir(outside) == ["secret"]

    @pytest.mark.parametrize(
        "limits", [Limits(members=100), Limits(content_bytes=1000)], ids=["members", "bytes"]
    )
    def test_a_layer_beyond_the_limits_is_refused_and_leaves_nothing(
        self, drivers: Sequence[Snapshotter], tmp_path: Path, limits: Limits
    ) -> None:
        layers = Layers(tmp_path, drivers, limits)
        stored(layers, images.layer({f"f{n}": b"x" * 10 for n in range(100)}))
        with pytest.raises(InvalidArgument, match="more than"):
            stored(layers, images.layer({f"f{n}": b"x" * 10 for n in range(101)}))
        assert len(list(layers.diff_ids())) == 1
        assert os.listdir(tmp_path / "layers" / "tmp") == []
        layers.sweep([])

    def test_the_tar_is_kept_byte_for_byte(self, layers: Layers) -> None:
        tar = images.layer({"a": b"a" * 5000, "b": None})
        layer = stored(layers, tar)
        with os.fdopen(layers.open_tar(layer.diff_id), "rb") as file:
            assert file.read() == tar
        assert layer.diff_id == images.digest(tar)
        assert (layer.tar_bytes, layer.content_bytes, layer.entries) == (len(tar), 5000, 2)

    def test_the_same_layer_again_is_the_same(self, layers: Layers) -> None:
        tar = images.layer({"a": b"a"})
        first, second = stored(layers, tar), stored(layers, tar)
        assert first == second
        assert list(layers.diff_ids()) == [first.diff_id]

    def test_another_layer_than_expected_is_refused(self, layers: Layers) -> None:
        with layers.writer() as writer:
            writer.write(images.layer({"a": b"a"}))
            with pytest.raises(InvalidArgument, match="digest mismatch"):
                writer.commit(DiffId(Digest(images.digest(b""))))
        assert list(layers.diff_ids()) == []

    def test_a_writer_that_is_given_up_leaves_nothing(self, layers: Layers, tmp_path: Path) -> None:
        with layers.writer() as writer:
            writer.write(b"x" * 100_000)
        assert os.listdir(tmp_path / "layers") == ["tmp"]
        assert os.listdir(tmp_path / "layers" / "tmp") == []

    def test_a_discarded_layer_is_gone_unless_it_is_pinned(
        self, layers: Layers, tmp_path: Path
    ) -> None:
        layer = stored(layers, images.layer({"a": b"a"}))
        layers.lower(layer.diff_id)
        layers.discard(layer.diff_id)  # still pinned by the writer
        assert layers.has(layer.diff_id)
        layers.unpin(layer.diff_id)
        layers.discard(layer.diff_id)
        assert not layers.has(layer.diff_id)
        layers.empty_trash()
        assert os.listdir(tmp_path / "layers" / "tmp") == []
        with pytest.raises(NotFound):
            layers.lower(layer.diff_id)

    def test_orphans_are_swept_at_start(self, layers: Layers, tmp_path: Path) -> None:
        kept = stored(layers, images.layer({"a": b"a"}))
        orphan = stored(layers, images.layer({"b": b"b"}))
        layers.unpin(orphan.diff_id)
        (tmp_path / "layers" / "tmp" / "half").mkdir()
        assert layers.sweep([kept.diff_id]) == [orphan.diff_id]
        assert list(layers.diff_ids()) == [kept.diff_id]
        assert os.listdir(tmp_path / "layers" / "tmp") == []

    def test_upper_layers_hide_and_remove_what_is_below(
        self, layers: Layers, tmp_path: Path
    ) -> None:
        chain = [
            images.layer({"d": None, "d/a": b"1", "d/b": b"1", "e": None, "e/x": b"1", "f": b"1"}),
            images.layer({"d/a": b"2", "d/.wh.b": b"", "d/c": b"2"}),
            images.layer({"e": None, "e/.wh..wh..opq": b"", "e/y": b"3", ".wh.f": b""}),
        ]
        with merged(layers, chain, tmp_path) as root:
            assert names_in(root) == ["d", "d/a", "d/c", "e", "e/y"]
            assert read(root, "d/a") == b"2"

    def test_a_layer_twice_in_a_chain_shows_at_its_highest_place(
        self, layers: Layers, tmp_path: Path
    ) -> None:
        one, two = images.layer({"a": b"1", "b": b"1"}), images.layer({"a": b"2", ".wh.b": b""})
        with merged(layers, [one, two, one], tmp_path) as root:
            assert read(root, "a") == b"1"
            assert read(root, "b") == b"1"
        with merged(layers, [one, two], tmp_path) as root:
            assert names_in(root) == ["a"]

    def test_an_opaque_root_hides_all_below(self, layers: Layers, tmp_path: Path) -> None:
        below, above = images.layer({"a": b"1"}), images.layer({".wh..wh..opq": b"", "b": b"2"})
        with merged(layers, [below, above], tmp_path) as root:
            assert names_in(root) == ["b"]

    @pytest.mark.parametrize("length", [1, 200])
    def test_a_chain_may_be_long(self, layers: Layers, tmp_path: Path, length: int) -> None:
        chain = [images.layer({f"f{n}": b"x", "top": b"%d" % n}) for n in range(length)]
        with merged(layers, chain, tmp_path) as root:
            assert len(names_in(root)) == length + 1
            assert read(root, "top") == b"%d" % (length - 1)

    def test_what_is_mounted_is_checked_against_the_tar(self, layers: Layers) -> None:
        case = stored(layers, recipes.built(GOLDEN["hard-links"]))
        assert layers.is_sound(case.diff_id)
        (made,) = set(layers.folder(case.diff_id).iterdir()) - {
            layers.folder(case.diff_id) / "layer.tar"
        }
        victim = made if made.is_file() else next(p for p in made.rglob("*") if p.is_file())
        with victim.open("r+b") as file:
            file.seek(-1, os.SEEK_END)
            last = file.read(1)
            file.seek(-1, os.SEEK_END)
            file.write(bytes([last[0] ^ 1]))
        assert not layers.is_sound(case.diff_id)
        layers.remake(case.diff_id)
        assert layers.is_sound(case.diff_id)
        assert recipes.tree(layers.lower(case.diff_id)) == GOLDEN["hard-links"]["tree"]

    @pytest.mark.parametrize("case", ["hard-links", "opaque", "capability", "devices"])
    def test_a_layer_goes_from_one_driver_to_another_and_back(
        self, drivers: Sequence[Snapshotter], tmp_path: Path, case: str
    ) -> None:
        layers = Layers(tmp_path, drivers)
        layer = stored(layers, recipes.built(GOLDEN[case]))
        for driver in (*reversed(drivers), *drivers):
            layers.remake(layer.diff_id, driver.name)
            assert layers.driver_of(layer.diff_id) == driver.name
            names = set(os.listdir(layers.folder(layer.diff_id)))
            assert names == {"layer.tar", driver.made}
            assert recipes.tree(layers.lower(layer.diff_id)) == GOLDEN[case]["tree"]
        layers.sweep([])


@contextmanager
def merged(layers: Layers, chain: Sequence[bytes], scratch: Path) -> Iterator[int]:
    diff_ids = [stored(layers, tar).diff_id for tar in chain]
    with view(layers.lowers(diff_ids), scratch / "view") as root:
        yield root


def names_in(root: int) -> list[str]:
    found = []
    for folder, folders, files, _ in os.fwalk(".", dir_fd=root):
        folders.sort()
        found += [os.path.normpath(os.path.join(folder, each)) for each in (*folders, *files)]
    return sorted(found)


def read(root: int, name: str) -> bytes:
    with os.fdopen(os.open(name, os.O_RDONLY, dir_fd=root), "rb") as file:
        return file.read()
