"""A folder in OCI layout as an archive of the one image in it that is meant."""

import json
import os
import re
from collections.abc import Iterator
from typing import Any, Final

from knarr.cli.building.packing import text_member
from knarr.cli.copying.pack import packed
from knarr.client.lean import dumps
from knarr.errors import InvalidArgument, NotFound

_REF_NAME: Final = "org.opencontainers.image.ref.name"
_PLACE: Final = re.compile(
    r"(?P<folder>.+?)(?:@(?P<digest>sha256:[0-9a-f]{64})|:(?P<tag>[\w.-]+))?"
)
_END: Final = b"\0" * 1024


def lone_image(place: str) -> Iterator[bytes]:
    """The layout with the one image that is meant, and without names: none here is moved."""
    found = _PLACE.fullmatch(place)
    if found is None:
        raise InvalidArgument(f"{place} is no place of an OCI layout")
    folder = found["folder"]
    try:
        with open(os.path.join(folder, "index.json"), "rb") as file:
            index = json.load(file)
        with open(os.path.join(folder, "oci-layout"), "rb") as file:
            layout = file.read()
    except FileNotFoundError as error:
        raise NotFound(f"{folder} is no OCI layout: it has no {error.filename}") from error
    except ValueError as error:
        raise InvalidArgument(f"{folder}/index.json is no JSON: {error}") from error
    meant = _meant(index, found["tag"] or "", found["digest"] or "", folder)
    bare = {**index, "manifests": [{**meant, "annotations": {}}]}
    yield from text_member("oci-layout", layout)
    yield from text_member("index.json", dumps(bare).encode())
    yield from packed(os.path.join(folder, "blobs"), None)
    yield _END


def _meant(index: Any, tag: str, digest: str, folder: str) -> dict[str, Any]:
    manifests = index.get("manifests", []) if isinstance(index, dict) else []
    named = {tag or "latest"}
    tagged = [each for each in manifests if each.get("annotations", {}).get(_REF_NAME) in named]
    if digest:
        manifests = [each for each in manifests if each.get("digest") == digest]
    elif tag or tagged:
        manifests = tagged
    by_digest = {each.get("digest"): each for each in manifests}
    if len(by_digest) == 1:
        return dict(manifests[0])
    if not manifests:
        raise NotFound(f"{folder} has no image {digest or tag}".rstrip())
    raise InvalidArgument(f"{folder} has {len(by_digest)} images: say which, as {folder}:TAG")
