"""Manifests of a registry, as knarr's own endpoints read and write them."""

from knarr.spec.docker.image import OCIDescriptor
from knarr.spec.document import Document


class RegistryManifest(Document, omit_defaults=True):
    """A manifest or an index, byte for byte. ``children``: an index's manifests, where asked for.

    The descriptor's platform is what the image's config says.
    """

    ref: str = ""
    descriptor: OCIDescriptor = OCIDescriptor()
    raw: bytes = b""  # base64 in JSON
    children: tuple["RegistryManifest", ...] = ()


class IndexPart(Document):
    """A manifest of an index that is to be pushed, and where it is now."""

    ref: str = ""
    digest: str = ""


class IndexPush(Document):
    """Body of ``POST /knarr/distribution/{name}/index``."""

    media_type: str = ""
    raw: bytes = b""
    parts: tuple[IndexPart, ...] = ()


class PushedIndex(Document):
    """``aux`` of its last message."""

    digest: str = ""
