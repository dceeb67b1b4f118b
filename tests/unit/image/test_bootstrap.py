import pytest

from knarr.errors import InvalidArgument
from knarr.ids import DiffId, Digest
from knarr.image import Bootstrap
from knarr.image.sources import AptSource
from knarr.reference import Reference
from knarr.snapshot import Layer

TAG = Reference.parse("debian:bookworm")
LAYER = Layer(
    diff_id=DiffId(Digest("sha256:" + "0" * 64)), tar_bytes=10, content_bytes=5, entries=1
)


def test_the_command_names_packages_and_sources() -> None:
    wanted = Bootstrap(tag=TAG, suite="bookworm", include=("curl", "ca-certificates"))
    source = AptSource(uri="http://m.example/debian", suite="bookworm", components=("main",))
    assert wanted.argv([source], ['Acquire::http::Proxy "http://p:3142"']) == [
        "mmdebstrap",
        "--variant=minbase",
        "--format=tar",
        "--include=curl,ca-certificates",
        '--aptopt=Acquire::http::Proxy "http://p:3142"',
        "bookworm",
        "-",
        "deb http://m.example/debian bookworm main",
    ]


@pytest.mark.parametrize("name", ["../etc", "--setup-hook=evil", "a b", "", "Bookworm"])
def test_what_is_no_name_never_reaches_the_command(name: str) -> None:
    with pytest.raises(InvalidArgument, match="invalid suite or package name"):
        Bootstrap(tag=TAG, suite=name)
    with pytest.raises(InvalidArgument):
        Bootstrap(tag=TAG, suite="bookworm", include=(name,))


def test_the_same_layer_and_date_give_the_same_image() -> None:
    wanted = Bootstrap(tag=TAG, suite="bookworm")
    first, second = wanted.image(LAYER, 1_700_000_000), wanted.image(LAYER, 1_700_000_000)
    assert first.id == second.id
    assert b'"created":"2023-11-14T22:13:20Z"' in first.config
    assert wanted.image(LAYER, 1_700_000_001).id != first.id
