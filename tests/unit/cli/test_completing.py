"""What comes next on a command line."""

from pathlib import Path

import pytest

from knarr.cli.manifests import ManifestLists
from knarr.reference import Reference
from support.fake_engine import Answer, FakeEngine
from unit.cli.conftest import Knarr


@pytest.fixture(autouse=True)
def two_images(engine: FakeEngine) -> None:
    engine.answers["GET", "/images/json"] = Answer(
        body=[{"Id": "sha256:1", "RepoTags": ["one:latest", "two:2"]}]
    )


def completed(knarr: Knarr, *words: str) -> list[str]:
    assert knarr("__complete", *words) == 0
    return [line.partition("\t")[0] for line in knarr.out.splitlines()]


@pytest.mark.parametrize(
    "words",
    [("image", "show"), ("image", "diff"), ("history",), ("rmi",), ("save",), ("push",), ("tag",),
     ("image", "inspect"), ("images",), ("manifest", "inspect", "l")],
)  # fmt: skip
def test_commands_of_images_are_offered_images(knarr: Knarr, words: tuple[str, ...]) -> None:
    assert completed(knarr, *words, "") == ["one", "two:2"]


def test_an_image_that_was_given_is_not_offered_again(knarr: Knarr) -> None:
    assert completed(knarr, "image", "diff", "one", "") == ["two:2"]
    assert completed(knarr, "image", "diff", "one", "two:2", "") == []


def test_lists_of_manifests_and_values_of_flags_are_offered(knarr: Knarr) -> None:
    store = ManifestLists(knarr.environ["DOCKER_CONFIG"])
    assert store.names() == []
    for name in ("127.0.0.1:5000/a/b:1", "busybox:musl"):
        store.put(Reference.parse(name), {"Ref": "x"})
    for verb in ("push", "rm", "annotate"):
        assert completed(knarr, "manifest", verb, "") == ["127.0.0.1:5000/a/b:1", "busybox:musl"]
    assert "linux/arm64" in completed(knarr, "load", "--platform", "")
    assert completed(knarr, "system", "convert-layers", "--to", "") == ["tar+erofs", "unpacked"]


def test_programs_of_the_engine_are_offered_and_in_the_help(knarr: Knarr, tmp_path: Path) -> None:
    assert completed(knarr, "registry", "") == ["serve"]
    assert {"daemon", "doctor", "fsck"} <= set(completed(knarr, ""))
    assert knarr("registry") == 0
    assert "  serve  Serve a registry, or a cache of others" in knarr.err
    assert knarr("--help") == 0
    assert "  registry   Serve images to others\n" in knarr.out
    assert "  daemon " in knarr.out
