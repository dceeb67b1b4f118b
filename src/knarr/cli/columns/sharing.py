"""What shares what, as ``image ls --explain`` and ``system df -v`` tell it."""

from __future__ import annotations

from knarr.cli.table import aligned
from knarr.cli.text import short
from knarr.client.lean import TYPE_CHECKING
from knarr.units import human_size

if TYPE_CHECKING:
    from typing import Any, TextIO

    Row = dict[str, Any]


def show_images(out: TextIO, images: list[Row], *, whole: bool) -> None:
    """Each image, its layers, who else has them, and what its removal would free."""
    for image in images:
        names = ", ".join(image["Names"]) or "<none>"
        out.write(f"{names}  {_short(image['Id'], whole)}  {human_size(image['Size'])}\n")
        out.write(f"  {_removal(image)}\n")
        rows = [
            f"  {_short(layer['DiffId'], whole)}\t{human_size(layer['Size'])}\t{_others(layer)}"
            for layer in image["Layers"]
        ]
        out.write(aligned(["  LAYER\tSIZE\tSHARED WITH", *rows]) + "\n")


def _removal(image: Row) -> str:
    freed = human_size(image["Freed"])
    kept_by = [name for name in image["KeptBy"] if name]
    if kept_by:
        return f"removing it would free {freed}; against it stands {', '.join(kept_by)}"
    return f"removing it frees {freed}"


def _others(layer: Row) -> str:
    others = [*layer["SharedWith"], *layer["HeldBy"]]
    return ", ".join(dict.fromkeys(others)) or "nobody"


def _short(digest: str, whole: bool) -> str:
    return digest if whole else short(digest)


def show_summary(out: TextIO, found: Row) -> None:
    """Which layers are shared by whom, and what would free how much."""
    layers: dict[str, Row] = {}
    for image in found["Images"]:
        for layer in image["Layers"]:
            have = layers.setdefault(layer["DiffId"], {**layer, "images": []})
            have["images"] += image["Names"] or [short(image["Id"])]
    shared = [each for each in layers.values() if len(each["images"]) + len(each["HeldBy"]) > 1]
    out.write("\nShared layers:\n\n")
    out.write(aligned([
        "LAYER\tSIZE\tON DISK\tUSED BY",
        *(f"{short(each['DiffId'])}\t{human_size(each['Size'])}\t{human_size(each['Disk'])}\t"
          + ", ".join(dict.fromkeys([*each["images"], *each["HeldBy"]])) for each in shared),
    ]))  # fmt: skip
    out.write("\nWhat would be freed:\n\n")
    out.write(aligned([
        "SIZE\tBY",
        f"{human_size(found['Dangling'])}\timage prune",
        f"{human_size(found['Unused'])}\timage prune -a",
        *(f"{human_size(image['Freed'])}\timage rm {(image['Names'] or [short(image['Id'])])[0]}"
          for image in found["Images"] if image["Freed"] and not any(image["KeptBy"])),
        f"{human_size(found['Forms'])}\tby itself, when the disk runs low: layers as they came",
    ]))  # fmt: skip
