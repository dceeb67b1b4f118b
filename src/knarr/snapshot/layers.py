"""Layers by diff ID under ``<data root>/layers``."""

from pathlib import Path


class Layers:
    """Each layer's tar, byte for byte, and what the driver makes of it to mount."""

    def __init__(self, data_root: Path, run_root: Path) -> None:
        self._folder = data_root / "layers"
        self._mounts = run_root / "layers"
