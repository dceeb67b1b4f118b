import json
from typing import Any

import pytest

from knarr.registry.manifests import digest_of
from knarr.registry.server.manifests import pushed
from knarr.registry.server.problems import Problem
from knarr.spec.oci.image import OCI_INDEX, OCI_MANIFEST

A, B, C = ("sha256:" + letter * 64 for letter in "abc")
IMAGE = {"schemaVersion": 2, "config": {"digest": A}, "layers": [{"digest": B}]}


def raw(document: Any) -> bytes:
    return json.dumps(document).encode()


def test_an_image_names_its_config_and_layers() -> None:
    manifest, judged = pushed(raw(IMAGE | {"subject": {"digest": C}}), OCI_MANIFEST, "1")
    assert judged.blobs == (A, B)
    assert judged.subject == C
    assert manifest.media_type == OCI_MANIFEST


def test_an_index_names_its_manifests() -> None:
    _, judged = pushed(raw({"manifests": [{"digest": A}]}), OCI_INDEX, "1")
    assert judged.manifests == (A,)


def test_what_is_kept_elsewhere_need_not_be_here() -> None:
    layers = [{"digest": B, "urls": ["https://x"]}, {"digest": C, "mediaType": "a.foreign.b"}]
    _, judged = pushed(raw(IMAGE | {"layers": layers}), OCI_MANIFEST, "1")
    assert judged.blobs == (A,)


def test_any_kind_of_json_object_is_taken() -> None:
    manifest, judged = pushed(raw({"hello": "world"}), "application/vnd.example+json", "1")
    assert manifest.media_type == "application/vnd.example+json"
    assert judged.blobs == ()


@pytest.mark.parametrize(
    ("body", "media_type", "code"),
    [
        (b"", OCI_MANIFEST, "MANIFEST_INVALID"),
        (b"[]", OCI_MANIFEST, "MANIFEST_INVALID"),
        (b"[" * 5000, OCI_MANIFEST, "MANIFEST_INVALID"),
        (raw({}), OCI_MANIFEST, "MANIFEST_INVALID"),
        (raw(IMAGE | {"config": {"digest": "x"}}), OCI_MANIFEST, "MANIFEST_INVALID"),
        (raw(IMAGE | {"mediaType": OCI_INDEX}), OCI_MANIFEST, "MANIFEST_INVALID"),
        (raw(IMAGE), OCI_INDEX, "MANIFEST_INVALID"),
        (raw(IMAGE | {"layers": "x"}), OCI_MANIFEST, "MANIFEST_INVALID"),
        (raw({"fsLayers": []}), "application/vnd.docker.distribution.manifest.v1+prettyjws",
         "MANIFEST_INVALID"),
        (b" " * (5 << 20), OCI_MANIFEST, "SIZE_INVALID"),
    ],
)  # fmt: skip
def test_what_is_no_manifest_is_refused(body: bytes, media_type: str, code: str) -> None:
    with pytest.raises(Problem) as caught:
        pushed(body, media_type, "1")
    assert caught.value.code == code


def test_a_digest_in_the_path_must_be_the_contents() -> None:
    body = raw(IMAGE)
    pushed(body, OCI_MANIFEST, digest_of(body))
    with pytest.raises(Problem) as caught:
        pushed(body, OCI_MANIFEST, A)
    assert caught.value.code == "DIGEST_INVALID"
