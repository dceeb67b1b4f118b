"""OCI layouts with images for several platforms under one name, made of bytes."""

import gzip
import json
from collections.abc import Mapping, Sequence
from typing import Any

from support import images

INDEX = "application/vnd.oci.image.index.v1+json"
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"


def described(media_type: str, content: bytes, **fields: Any) -> dict[str, Any]:
    return {"mediaType": media_type, "digest": images.digest(content), "size": len(content),
            **fields}  # fmt: skip


def manifest_of(config: bytes, config_type: str, parts: Sequence[dict[str, Any]]) -> bytes:
    return json.dumps({
        "schemaVersion": 2, "mediaType": MANIFEST, "config": described(config_type, config),
        "layers": list(parts),
    }).encode()  # fmt: skip


def image_for(architecture: str, layers: Sequence[bytes]) -> list[bytes]:
    """Manifest, config and compressed layers; the manifest first."""
    config = images.document(layers, {"Cmd": ["/bin/sh"]}, architecture=architecture)
    packed = [gzip.compress(layer, mtime=0) for layer in layers]
    manifest = manifest_of(config, CONFIG, [described(LAYER, each) for each in packed])
    return [manifest, config, *packed]


def attestation(manifest: bytes) -> list[bytes]:
    """A manifest that attests to another one, its config and its statement."""
    statement = json.dumps({"_type": "in-toto", "subject": images.digest(manifest)}).encode()
    config = images.document((statement,), {}, architecture="unknown", os="unknown")
    parts = [described("application/vnd.in-toto+json", statement)]
    return [manifest_of(config, CONFIG, parts), config, statement]


def layout(name: str, platforms: Mapping[str, Sequence[bytes]]) -> tuple[bytes, str]:
    """An archive whose one name is an index of platforms, each attested to; the index's digest.

    platforms: the plain layers of each architecture.
    """
    blobs: list[bytes] = []
    entries: list[dict[str, Any]] = []
    for architecture, layers in platforms.items():
        image = image_for(architecture, layers)
        statement = attestation(image[0])
        blobs += [*image, *statement]
        entries.append(
            described(MANIFEST, image[0], platform={"os": "linux", "architecture": architecture})
        )
        entries.append(
            described(
                MANIFEST, statement[0], platform={"os": "unknown", "architecture": "unknown"},
                annotations={"vnd.docker.reference.type": "attestation-manifest",
                             "vnd.docker.reference.digest": images.digest(image[0])},
            )
        )  # fmt: skip
    index = json.dumps(
        {"schemaVersion": 2, "mediaType": INDEX, "manifests": entries, "annotations": {"a": "b"}}
    ).encode()
    root = described(INDEX, index, annotations={"io.containerd.image.name": name})
    files = {f"blobs/sha256/{images.digest(each)[7:]}": each for each in (index, *blobs)}
    files |= {
        "oci-layout": b'{"imageLayoutVersion":"1.0.0"}',
        "index.json": json.dumps({"schemaVersion": 2, "manifests": [root]}).encode(),
    }
    return images.archive(files), images.digest(index)
