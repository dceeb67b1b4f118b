"""Which image of an OCI layout is meant, and what the engine gets of it."""

import io
import json
import tarfile
from pathlib import Path

import pytest

from knarr.cli.building.layoutfiles import lone_image
from knarr.errors import InvalidArgument, KnarrError, NotFound

ONE, TWO = "sha256:" + "1" * 64, "sha256:" + "2" * 64


@pytest.fixture
def layout(tmp_path: Path) -> Path:
    named = {"v1": ONE, "v2": TWO, "same": TWO}
    manifests = [
        {
            "digest": digest,
            "annotations": {
                "org.opencontainers.image.ref.name": name,
                "io.containerd.image.name": f"docker.io/library/app:{name}",
            },
        }
        for name, digest in named.items()
    ]
    (tmp_path / "index.json").write_text(json.dumps({"manifests": manifests}))
    (tmp_path / "oci-layout").write_text("{}")
    (tmp_path / "manifest.json").write_text("[]")
    (tmp_path / "blobs").mkdir()
    (tmp_path / "blobs" / "b").write_text("blob")
    return tmp_path


def sent(place: str) -> tuple[list[str], list[dict[str, object]]]:
    """Names in the archive, and the manifests of its index."""
    with tarfile.open(fileobj=io.BytesIO(b"".join(lone_image(place)))) as tar:
        index = tar.extractfile("index.json")
        assert index is not None
        return tar.getnames(), json.load(index)["manifests"]


@pytest.mark.parametrize(("suffix", "digest"), [(":v1", ONE), (":same", TWO), (f"@{TWO}", TWO)])
def test_one_image_goes_and_no_name_with_it(layout: Path, suffix: str, digest: str) -> None:
    names, manifests = sent(f"{layout}{suffix}")
    assert names == ["oci-layout", "index.json", "blobs", "blobs/b"]
    assert manifests == [{"digest": digest, "annotations": {}}]


@pytest.mark.parametrize(
    ("suffix", "problem", "kind"),
    [
        ("", "has 2 images: say which", InvalidArgument),
        (":v3", "has no image v3", NotFound),
        (f"@sha256:{'3' * 64}", "has no image sha256:333", NotFound),
        ("/blobs", "is no OCI layout", NotFound),
    ],
)
def test_what_is_not_there_is_told(
    layout: Path, suffix: str, problem: str, kind: type[KnarrError]
) -> None:
    with pytest.raises(kind, match=problem):
        sent(f"{layout}{suffix}")


def test_without_a_name_latest_is_meant(layout: Path) -> None:
    index = (layout / "index.json").read_text().replace('"v1"', '"latest"')
    (layout / "index.json").write_text(index)
    assert sent(str(layout))[1] == [{"digest": ONE, "annotations": {}}]
    (layout / "index.json").write_text("{")
    with pytest.raises(InvalidArgument, match="is no JSON"):
        sent(str(layout))
