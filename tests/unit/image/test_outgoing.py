from knarr.image.outgoing import built_manifest
from knarr.spec.oci.image import (
    DOCKER_CONFIG,
    DOCKER_LAYER,
    DOCKER_LAYER_GZIP,
    DOCKER_MANIFEST,
    OCI_CONFIG,
    OCI_LAYER,
    OCI_LAYER_GZIP,
    OCI_LAYER_ZSTD,
    OCI_MANIFEST,
    Descriptor,
)

DIGEST = "sha256:" + "a" * 64


def layer(media_type: str) -> Descriptor:
    return Descriptor(media_type=media_type, digest=DIGEST, size=7)


def config(media_type: str) -> Descriptor:
    return Descriptor(media_type=media_type, digest=DIGEST, size=9)


def test_layers_of_any_name_go_into_one_format_that_every_engine_reads() -> None:
    layers = [layer(OCI_LAYER_GZIP), layer(DOCKER_LAYER_GZIP), layer(OCI_LAYER)]
    manifest = built_manifest(config(DOCKER_CONFIG), layers)
    assert manifest.media_type == DOCKER_MANIFEST
    assert [each.media_type for each in manifest.layers] == [
        DOCKER_LAYER_GZIP,
        DOCKER_LAYER_GZIP,
        DOCKER_LAYER,
    ]
    assert (manifest.config.media_type, manifest.config.size) == (DOCKER_CONFIG, 9)


def test_what_dockers_format_cannot_say_goes_into_ocis() -> None:
    manifest = built_manifest(config(OCI_CONFIG), [layer(OCI_LAYER_ZSTD), layer(DOCKER_LAYER_GZIP)])
    assert manifest.media_type == OCI_MANIFEST
    assert manifest.config.media_type == OCI_CONFIG
    assert [each.media_type for each in manifest.layers] == [OCI_LAYER_ZSTD, OCI_LAYER_GZIP]
