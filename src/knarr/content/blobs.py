"""Files by digest under ``<data root>/blobs/sha256``."""

from pathlib import Path


class BlobStore:
    """Written to a temporary name, hashed on the way, renamed to their digest."""

    def __init__(self, data_root: Path) -> None:
        self._folder = data_root / "blobs" / "sha256"
