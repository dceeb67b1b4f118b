"""What rows say that there is, and what lies on the disk: one look at both."""

import sqlite3
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from knarr.content import BlobStore
from knarr.ids import DiffId, Digest, ImageId, short
from knarr.image import rows as image_rows
from knarr.image.model import Image
from knarr.snapshot import Layer, Layers
from knarr.snapshot.rows import all_layers
from knarr.store import Database
from knarr.upkeep.folders import is_young, strays
from knarr.upkeep.model import Finding


class Holders(Protocol):
    """Who may hold layers, besides images: containers, builds."""

    def living(self) -> Mapping[str, Callable[[], Iterable[str]]]:
        """By the beginning of their holders' names, the rest of each that is there."""

    def name_of(self, holder: str) -> str:
        """As people know it: ``container web``."""

    def runs(self, holder: str) -> bool:
        """Whether a process stands on what it holds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Survey:
    """Rows and files at one moment."""

    blobs: Mapping[Digest, int]  # rows: size in bytes
    blob_files: frozenset[Digest]
    layers: Mapping[DiffId, Layer]  # rows
    layer_folders: frozenset[DiffId]
    pinned: frozenset[str]  # what is coming in
    forms: Mapping[DiffId, tuple[Digest, ...]]  # compressed forms
    blob_holders: Mapping[Digest, tuple[str, ...]]
    layer_holders: Mapping[DiffId, tuple[str, ...]]
    stale_holders: frozenset[str]
    images: tuple[Image, ...]
    folders: tuple[Finding, ...] = ()  # of containers and volumes

    def form_of(self, blob: Digest) -> DiffId | None:
        """The layer that a blob is a compressed form of."""
        return next((layer for layer, forms in self.forms.items() if blob in forms), None)

    def of_manifest(self, blob: Digest) -> tuple[ImageId, ...]:
        """The images that came with this manifest."""
        return tuple(each.id for each in self.images if each.manifest == blob)


def surveyed(
    db: Database, blobs: BlobStore, layers: Layers, holders: Holders, data_root: Path
) -> Survey:
    """Quick: two listings and a few queries. In the loop."""
    forms: dict[DiffId, list[Digest]] = defaultdict(list)
    for row in db.query("SELECT diff_id, digest FROM layer_blobs"):
        forms[DiffId(Digest(row["diff_id"]))].append(Digest(row["digest"]))
    blob_files, folders = frozenset(blobs.digests()), frozenset(layers.diff_ids())
    pinned = {each for each in blob_files if blobs.is_pinned(each)}
    pinned |= {each for each in folders if layers.is_pinned(each)}
    blob_holders = _holders(db.query("SELECT digest AS what, holder FROM blob_holds"))
    layer_holders = _holders(db.query("SELECT DISTINCT diff_id AS what, holder FROM layer_holds"))
    held = (*blob_holders.values(), *layer_holders.values())
    everyone = {each for them in held for each in them}
    return Survey(
        blobs={
            Digest(row["digest"]): row["size_bytes"]
            for row in db.query("SELECT digest, size_bytes FROM blobs")
        },
        blob_files=blob_files,
        layers=all_layers(db),
        layer_folders=folders,
        pinned=frozenset(pinned),
        forms={diff_id: tuple(found) for diff_id, found in forms.items()},
        blob_holders={Digest(what): them for what, them in blob_holders.items()},
        layer_holders={DiffId(Digest(what)): them for what, them in layer_holders.items()},
        stale_holders=frozenset(_stale(db, everyone, holders, data_root)),
        images=tuple(image_rows.every(db)),
        folders=tuple(strays(db, data_root)),
    )


def _holders(rows: Iterable[sqlite3.Row]) -> dict[str, tuple[str, ...]]:
    found: dict[str, list[str]] = defaultdict(list)
    for row in rows:
        found[row["what"]].append(row["holder"])
    return {what: tuple(them) for what, them in found.items()}


def _stale(db: Database, everyone: Iterable[str], holders: Holders, data_root: Path) -> list[str]:
    """Those whose owner is gone. Of a kind that nobody here knows, none is."""
    living = {
        "image/": {row["id"] for row in db.query("SELECT id FROM images")},
        "index/": {row["digest"] for row in db.query("SELECT digest FROM image_indexes")},
        **{prefix: set(them()) for prefix, them in holders.living().items()},
    }
    leases = {
        row["holder"]
        for row in db.query(
            "SELECT holder FROM leases WHERE until_ns IS NULL OR until_ns > ?", (time.time_ns(),)
        )
    }

    def is_stale(holder: str) -> bool:
        kind, slash, name = holder.partition("/")
        prefix = kind + slash
        if prefix == "lease/":
            return holder not in leases
        there = living.get(prefix)
        return (
            there is not None
            and name not in there
            and not is_young(data_root / "containers" / name)
        )

    return sorted(filter(is_stale, everyone))


def needers(survey: Survey, holders: Holders, held_by: Iterable[str]) -> tuple[str, ...]:
    """Images and containers among these holders, by the names that people know."""
    by_id = {image.id: image for image in survey.images}
    found = []
    for holder in held_by:
        kind, _, name = holder.partition("/")
        if kind == "image":
            image = by_id.get(ImageId(Digest(name)))
            names = [tag.familiar for tag in image.tags] if image else []
            found += names or [f"image {short(name)}"]
        elif told := holders.name_of(holder):
            found.append(told)
    return tuple(sorted(set(found)))
