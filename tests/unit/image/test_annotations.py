"""Annotations as people write them, and where they go."""

import pytest

from knarr.errors import InvalidArgument, Unsupported
from knarr.image.annotations import Annotations
from knarr.spec.oci.image import Platform

AMD64 = Platform(os="linux", architecture="amd64")
ARM64 = Platform(os="linux", architecture="arm64")


def test_each_kind_goes_to_its_place() -> None:
    said = Annotations.parse([
        "org.example.a=1", "manifest:b=2=3", "index:c=", "manifest-descriptor:d=4",
        "index,manifest:e=5",
    ])  # fmt: skip
    assert said.of_manifest(AMD64) == {"org.example.a": "1", "b": "2=3", "e": "5"}
    assert said.of_index() == {"c": "", "e": "5"}
    assert said.of_descriptor(AMD64) == {"d": "4"}


def test_one_may_be_for_one_platform() -> None:
    said = Annotations.parse(["manifest[linux/arm64]:a=arm", "a=all"])
    assert said.of_manifest(ARM64) == {"a": "all"}  # the later one
    said = Annotations.parse(["a=all", "manifest[linux/arm64]:a=arm"])
    assert (said.of_manifest(ARM64), said.of_manifest(AMD64)) == ({"a": "arm"}, {"a": "all"})


def test_a_colon_in_the_value_is_no_kind() -> None:
    said = Annotations.parse(["url=http://x:1/", "org.opencontainers.image.url=a:b=c"])
    assert said.of_manifest(AMD64) == {
        "url": "http://x:1/", "org.opencontainers.image.url": "a:b=c",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("a", "expected key=value"),
        ("=b", "expected key=value"),
        ("manifest:=b", "expected key=value"),
        ("layer:a=b", 'unknown annotation type "layer"'),
        ("manifest[nonsense]:a=b", "nonsense"),
    ],
)
def test_what_makes_no_sense_is_refused(text: str, problem: str) -> None:
    with pytest.raises(InvalidArgument, match=problem):
        Annotations.parse([text])


def test_a_descriptor_of_the_index_is_refused_by_name() -> None:
    with pytest.raises(Unsupported, match="annotate the index"):
        Annotations.parse(["index-descriptor:a=b"])
