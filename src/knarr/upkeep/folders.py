"""Folders of containers and volumes against their rows. What people made is never deleted here."""

import os
import time
from collections.abc import Container, Iterator
from pathlib import Path
from typing import Final

from knarr.store import Database
from knarr.upkeep.model import Finding, Remedy

_YOUNG_S: Final = 600.0  # what is being made has no row yet


def is_young(folder: Path) -> bool:
    """Made just now: its row may be on the way."""
    try:
        return time.time() - folder.stat().st_mtime < _YOUNG_S
    except OSError:
        return False


def strays(db: Database, data_root: Path) -> Iterator[Finding]:
    """Rows without folders and folders without rows. Quick: two listings. In the loop."""
    containers = {row["id"]: row["name"] for row in db.query("SELECT id, name FROM containers")}
    folder = data_root / "containers"
    for identifier, name in containers.items():
        if not (folder / identifier / "upper").is_dir():
            yield _lost("container", name, "what it wrote is missing", f"knarr rm {name}")
    yield from _unknown("container", folder, containers.keys())
    volumes = {row["name"] for row in db.query("SELECT name FROM volumes")}
    folder = data_root / "volumes"
    for name in sorted(volumes):
        if not (folder / name / "_data").is_dir():
            yield _lost("volume", name, "its data is missing", f"knarr volume rm {name}")
    yield from _unknown("volume", folder, volumes)


def _lost(kind: str, name: str, problem: str, command: str) -> Finding:
    advice = f"bring its folder back from a copy, or remove it: {command}"
    return Finding(kind=kind, key=name, problem=problem, remedy=Remedy.NONE, advice=advice)


def _unknown(kind: str, folder: Path, known: Container[str]) -> Iterator[Finding]:
    try:
        names = sorted(os.listdir(folder))
    except FileNotFoundError:
        return
    for name in names:
        place = folder / name
        if name.startswith(".") or name in known or not place.is_dir() or is_young(place):
            continue
        yield Finding(
            kind=kind, key=name, problem="a folder that no row knows", remedy=Remedy.NONE,
            advice=f"look into {place}, and delete it",
        )  # fmt: skip
