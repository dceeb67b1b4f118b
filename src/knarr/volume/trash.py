"""Folders of removed volumes on their way out: moved first, deleted later.

So that a crash leaves a whole volume or none: ``volumes/.trash/<name>@<digits>``.
"""

import secrets
import shutil
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path


class Trash:
    def __init__(self, root: Path) -> None:
        """root: the folder of all volumes."""
        self._root = root
        self._trash = root / ".trash"

    def take(self, name: str) -> Path:
        """Move a volume's folder out of the way; where to. A folder that is gone is fine."""
        self._trash.mkdir(mode=0o700, exist_ok=True)
        place = self._trash / f"{name}@{secrets.token_hex(4)}"
        with suppress(FileNotFoundError):
            (self._root / name).rename(place)
        return place

    def put_back(self, name: str, place: Path) -> None:
        """The removal was not recorded, so it did not happen."""
        if place.exists():
            place.rename(self._root / name)

    def sweep(self, is_recorded: Callable[[str], bool]) -> None:
        """At the daemon's start: what a crash left of removals, undone or finished."""
        if not self._trash.is_dir():
            return
        for place in self._trash.iterdir():
            name = place.name.rpartition("@")[0]
            if is_recorded(name) and not (self._root / name).exists():
                place.rename(self._root / name)
            else:
                shutil.rmtree(place, ignore_errors=True)
