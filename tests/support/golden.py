"""Golden files: compared with, or written anew when UPDATE_GOLDEN is set in the environment."""

import os
from pathlib import Path


def check(path: Path, actual: str) -> None:
    """``actual`` is what the file says. To accept a change: UPDATE_GOLDEN=1, then read the diff."""
    if os.environ.get("UPDATE_GOLDEN"):
        path.write_text(actual)
    expected = path.read_text() if path.exists() else ""
    assert actual == expected, f"differs from {path.name}; UPDATE_GOLDEN=1 writes it anew"


def cases(folder: Path) -> list[Path]:
    """The case folders directly in ``folder``."""
    return sorted(each for each in folder.iterdir() if each.is_dir() and each.name[0] not in "_.")
