"""Blobs by digest: compressed layers, configs and manifests, kept as they came.

May import: store, events, kernel, spec, errors, ids.
"""

from knarr.content.blobs import BlobStore

__all__ = ["BlobStore"]
