"""The archive that `docker save` writes: manifest.json and repositories.

Source: Docker image specification 1.2; Docker 25 added LayerSources and the OCI layout around it.
"""

import msgspec

from knarr.spec.document import Document
from knarr.spec.oci.image import Descriptor


class ArchiveImage(Document):
    """One image: paths of its config and layers in the archive, lowest layer first."""

    config: str
    repo_tags: tuple[str, ...] = ()
    layers: tuple[str, ...] = ()
    parent: str = ""
    layer_sources: dict[str, Descriptor] = msgspec.field(default_factory=dict)
