import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from knarr.errors import InvalidArgument, KnarrError, NotFound, Unsupported
from knarr.registry.manifests import (
    Fetched,
    assembled,
    chosen,
    digest_of,
    image_config,
    read_index,
    received,
)
from knarr.spec.oci.image import (
    DOCKER_MANIFEST,
    OCI_CONFIG,
    OCI_INDEX,
    OCI_LAYER_GZIP,
    OCI_MANIFEST,
)
from knarr.spec.oci.platform import parse_platform

DIGEST = "sha256:" + "a" * 64
CONFIG = {"mediaType": OCI_CONFIG, "digest": DIGEST, "size": 2}
LAYER = {"mediaType": OCI_LAYER_GZIP, "digest": DIGEST, "size": 10}
MANIFEST = {"schemaVersion": 2, "mediaType": OCI_MANIFEST, "config": CONFIG, "layers": [LAYER]}


def raw(document: Any) -> bytes:
    return json.dumps(document).encode()


def manifest(**changed: Any) -> Fetched:
    return received(raw(MANIFEST | changed), OCI_MANIFEST, None, "app")


def config(*diff_ids: str) -> Fetched:
    body = raw({"architecture": "amd64", "os": "linux", "rootfs": {"diff_ids": diff_ids}})
    return Fetched(raw=body, media_type=OCI_CONFIG, digest=digest_of(body))


def entry(platform: str, **more: Any) -> dict[str, Any]:
    system, _, rest = platform.partition("/")
    architecture, _, variant = rest.partition("/")
    named = {"os": system, "architecture": architecture, "variant": variant}
    digest = "sha256:" + digest_of(platform.encode()).removeprefix("sha256:")
    return {"mediaType": OCI_MANIFEST, "digest": digest, "size": 9, "platform": named} | more


def index_of(*platforms: str) -> Fetched:
    body = {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [entry(p) for p in platforms]}
    return received(raw(body), OCI_INDEX, None, "app")


def choice(wanted: str, *platforms: str) -> str:
    found = chosen(read_index(index_of(*platforms)), parse_platform(wanted), "app").digest
    return next(each for each in platforms if entry(each)["digest"] == found)


def test_the_kind_is_what_header_and_document_agree_on() -> None:
    body = raw(MANIFEST)
    assert received(body, f"{OCI_MANIFEST}; charset=utf-8", None, "app").media_type == OCI_MANIFEST
    assert received(body, "application/json", None, "app").media_type == OCI_MANIFEST
    untyped = raw({key: MANIFEST[key] for key in ("schemaVersion", "config", "layers")})
    assert received(untyped, "", None, "app").media_type == OCI_MANIFEST
    assert received(untyped, DOCKER_MANIFEST, None, "app").media_type == DOCKER_MANIFEST
    with pytest.raises(InvalidArgument, match="calls itself"):
        received(body, DOCKER_MANIFEST, None, "app")


def test_a_document_of_two_kinds_is_refused() -> None:
    both = raw(MANIFEST | {"manifests": [entry("linux/amd64")]})
    with pytest.raises(InvalidArgument, match="manifests"):
        received(both, OCI_MANIFEST, None, "app")


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b"null", b'"x"', b"\xff\xfe", b"[" * 100_000])
def test_what_is_no_manifest_is_refused(body: bytes) -> None:
    with pytest.raises(KnarrError):
        received(body, OCI_MANIFEST, None, "app")


def test_schema_1_is_refused_with_its_reason() -> None:
    with pytest.raises(Unsupported, match="obsolete schema 1"):
        received(raw({"schemaVersion": 1, "fsLayers": []}), "application/json", None, "app")


def test_another_digest_than_was_asked_for_is_refused() -> None:
    with pytest.raises(KnarrError, match="manifest verification failed for digest"):
        received(raw(MANIFEST), OCI_MANIFEST, DIGEST, "app")


@pytest.mark.parametrize(
    ("wanted", "offered", "found"),
    [
        ("linux/amd64", ["linux/arm64", "linux/amd64"], "linux/amd64"),
        ("linux/arm/v7", ["linux/arm/v5", "linux/arm/v6", "linux/arm/v8"], "linux/arm/v6"),
        ("linux/arm64", ["linux/arm/v7", "linux/arm64/v8"], "linux/arm64/v8"),
        ("linux/amd64/v3", ["linux/amd64", "linux/amd64/v2", "linux/amd64/v4"], "linux/amd64/v2"),
        ("linux/x86_64", ["linux/amd64"], "linux/amd64"),
    ],
)
def test_the_nearest_platform_is_chosen(wanted: str, offered: list[str], found: str) -> None:
    assert choice(wanted, *offered) == found


def test_what_does_not_run_here_is_not_chosen() -> None:
    with pytest.raises(NotFound, match="no matching manifest for linux/arm64/v8 in the manifest"):
        choice("linux/arm64", "linux/amd64", "windows/arm64", "unknown/unknown")


def test_attestations_are_not_images() -> None:
    body = {"schemaVersion": 2, "manifests": [
        entry("linux/amd64", annotations={"vnd.docker.reference.type": "attestation-manifest"}),
        entry("linux/amd64", digest=DIGEST),
    ]}  # fmt: skip
    index = read_index(received(raw(body), OCI_INDEX, None, "app"))
    assert chosen(index, parse_platform("linux/amd64"), "app").digest == DIGEST


def test_an_image_is_its_layers_lowest_first() -> None:
    image = assembled(manifest(), manifest(), config(DIGEST), "app")
    assert [(each.digest, each.diff_id, each.compression) for each in image.layers] == [
        (DIGEST, DIGEST, "gzip")
    ]


def test_as_many_layers_as_diff_ids() -> None:
    with pytest.raises(InvalidArgument, match="layers from manifest don't match"):
        assembled(manifest(), manifest(), config(DIGEST, DIGEST), "app")


@pytest.mark.parametrize(
    ("layer", "message"),
    [
        (LAYER | {"mediaType": "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip"},
         "foreign layer"),
        (LAYER | {"mediaType": "application/x-sh"}, "unknown media type"),
        (LAYER | {"digest": "sha256:../../etc/passwd"}, "invalid digest"),
        (LAYER | {"digest": "sha512:" + "a" * 128}, "by sha512: only sha256"),
        (LAYER | {"size": -1}, "impossible size"),
    ],
)  # fmt: skip
def test_a_layer_that_cannot_be_one_is_refused(layer: dict[str, Any], message: str) -> None:
    wrong = manifest(layers=[layer])
    with pytest.raises(KnarrError, match=message):
        assembled(wrong, wrong, config(DIGEST), "app")


def test_an_artifact_is_no_image() -> None:
    with pytest.raises(Unsupported, match="not a container image"):
        image_config(manifest(config=CONFIG | {"mediaType": "application/vnd.x+json"}), "app")


@given(st.binary(max_size=300), st.sampled_from([OCI_MANIFEST, OCI_INDEX, "", "text/html"]))
def test_no_bytes_break_the_reader(body: bytes, media_type: str) -> None:
    try:
        fetched = received(body, media_type, None, "app")
    except KnarrError:
        return
    assert fetched.digest == digest_of(body)


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
    ),
    max_leaves=12,
)


@given(st.fixed_dictionaries({"schemaVersion": st.just(2)}, optional={
    "mediaType": _json, "config": _json, "layers": _json, "manifests": _json,
}))  # fmt: skip
def test_no_json_breaks_the_reader(document: dict[str, Any]) -> None:
    try:
        fetched = received(raw(document), "", None, "app")
        if fetched.is_index:
            chosen(read_index(fetched), parse_platform("linux/amd64"), "app")
        else:
            image_config(fetched, "app")
            assembled(fetched, fetched, config(DIGEST), "app")
    except KnarrError:
        pass
