"""Blobs by digest: compressed layers, configs and manifests, kept as they came.

Files are in blobs.py, their rows and who holds them in rows.py, compressed streams in
compression.py, SHA-256 beside the work in hashing.py, what must not be deleted yet in pins.py.
May import: store, events, kernel, spec, errors, ids.
"""

from knarr.content.blobs import Blob, BlobStore, BlobWriter
from knarr.content.compression import (
    Compression,
    Compressor,
    Decompressor,
    compressor,
    decompressor,
    plain_chunks,
    refuse_bomb,
    sniffed,
)
from knarr.content.hashing import Hasher, digest_of
from knarr.content.headroom import Budget, Headroom, free_and_reserve
from knarr.content.pins import Pinning
from knarr.content.writing import write_all

__all__ = [
    "Blob",
    "BlobStore",
    "BlobWriter",
    "Budget",
    "Compression",
    "Compressor",
    "Decompressor",
    "Hasher",
    "Headroom",
    "Pinning",
    "compressor",
    "decompressor",
    "digest_of",
    "free_and_reserve",
    "plain_chunks",
    "refuse_bomb",
    "sniffed",
    "write_all",
]
