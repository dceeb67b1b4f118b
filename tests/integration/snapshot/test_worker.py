"""Large layers are prepared by a process apart: same trees, same refusals, and a fence."""

import os
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from knarr.errors import InvalidArgument, KnarrError
from knarr.snapshot import Layers, Snapshotter, TarIndex, Unpacked, worker
from knarr.snapshot.apart import prepare_apart
from knarr.snapshot.tar import LIMITS, Limits
from support import images, recipes

pytestmark = pytest.mark.needs("root", "overlay")
GOLDEN = recipes.recipes()
REFUSED = recipes.recipes("negative")
CASES = (
    "devices", "special-bits", "modes-past-the-umask", "capability", "hard-link-sets-owner",
    "file-over-directory", "through-absolute-symlink", "sparse-file", "whiteouts", "no-utf-8",
    "big-owners", "empty",
)  # fmt: skip
BAD = ("dot-dot", "write-through-symlink", "hard-link-outside", "forged-whiteout", "cut-short")


@pytest.fixture(params=[TarIndex.name, Unpacked.name])
def layers(request: pytest.FixtureRequest, tmp_path: Path) -> Layers:
    """All layers by a worker; with the unpacked driver behind the index, as the daemon has it."""
    drivers: Sequence[Snapshotter] = [Unpacked()]
    if request.param == TarIndex.name:
        drivers = [TarIndex(tmp_path / "run", detached=True), *drivers]
    return Layers(tmp_path, drivers, apart_bytes=0)


@pytest.mark.needs("erofs")
@pytest.mark.parametrize("case", CASES)
def test_a_worker_makes_the_same_tree(layers: Layers, case: str) -> None:
    with layers.writer() as writer:
        writer.write(recipes.built(GOLDEN[case]))
        layer = writer.commit()
    assert recipes.tree(layers.lower(layer.diff_id)) == GOLDEN[case]["tree"]


@pytest.mark.needs("erofs")
@pytest.mark.parametrize("case", BAD)
def test_a_worker_refuses_in_the_same_words(layers: Layers, case: str) -> None:
    with layers.writer() as writer:
        writer.write(recipes.built(REFUSED[case]))
        with pytest.raises(InvalidArgument, match=REFUSED[case]["refused"]):
            writer.commit()
    assert list(layers.diff_ids()) == []


def test_the_limits_hold_in_the_worker_too(tmp_path: Path) -> None:
    layers = Layers(tmp_path, [Unpacked()], Limits(members=2), apart_bytes=0)
    with layers.writer() as writer:
        writer.write(images.layer({"a": b"", "b": b"", "c": b""}))
        with pytest.raises(InvalidArgument, match="more than 2 members"):
            writer.commit()


def test_a_worker_that_dies_is_told_of(tmp_path: Path) -> None:
    with pytest.raises(KnarrError, match=r"exit code 1: .*FileNotFoundError"):
        prepare_apart(Unpacked.name, tmp_path, LIMITS)


def test_the_worker_has_no_more_rights_and_files_than_it_needs(tmp_path: Path) -> None:
    """A stand-in for the program: it puts up the same fence, then tells what is left to it."""
    told = tmp_path / "told"
    told.touch()
    child = f"""
import os, sys
sys.path.insert(0, {os.fspath(Path(worker.__file__).parents[2])!r})
from knarr.snapshot import worker
out, status = open({os.fspath(told)!r}, "w"), open("/proc/self/status")
worker._fence({os.fspath(tmp_path)!r})
lines = dict(line.split(":", 1) for line in status.read().splitlines())
print(lines["CapEff"].strip(), lines["NoNewPrivs"].strip(), sorted(os.listdir("/")), file=out)
"""
    (tmp_path / "layer.tar").touch()
    status = os.spawnv(os.P_WAIT, sys.executable, [sys.executable, "-c", child])
    assert status == 0
    capabilities, no_new, root = told.read_text().split(maxsplit=2)
    assert int(capabilities, 16) == sum(1 << each for each in (0, 1, 3, 4, 21, 27, 31))
    assert no_new == "1"
    assert root.strip() == "['layer.tar', 'told']"
