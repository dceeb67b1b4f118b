"""The placeholders of ``images``. A row is an ImageSummary as it comes, with one of its names."""

from __future__ import annotations

from knarr.cli.listing import Column, Listing
from knarr.cli.text import ago, moment, short
from knarr.client.lean import TYPE_CHECKING
from knarr.units import human_size, human_size_precise

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import Any

    Row = dict[str, Any]

NONE = "<none>"
_UNKNOWN = "N/A"


def image_listing(*, whole: bool) -> Listing:
    """The columns; ``whole`` is --no-trunc. Sizes that were not asked for come as -1."""
    columns = {
        "ID": Column("IMAGE ID", lambda row: row["Id"] if whole else short(row["Id"])),
        "Repository": Column("REPOSITORY", lambda row: row["repository"]),
        "Tag": Column("TAG", lambda row: row["tag"]),
        "Digest": Column("DIGEST", lambda row: row["digest"]),
        "CreatedSince": Column("CREATED", lambda row: _since(row["Created"])),
        "CreatedAt": Column("CREATED AT", lambda row: moment(row["Created"])),
        "Size": Column("SIZE", lambda row: human_size(row["Size"])),
        "Containers": Column("CONTAINERS", lambda row: _counted(row.get("Containers", -1))),
        "VirtualSize": Column("SIZE", lambda row: human_size_precise(row["Size"])),
        "SharedSize": Column("SHARED SIZE", lambda row: _sized(row.get("SharedSize", -1))),
        "UniqueSize": Column("UNIQUE SIZE", _unique),
    }
    default = ("Repository", "Tag", "ID", "CreatedSince", "Size")
    return Listing("*formatter.imageContext", columns, default, raw=_RAW)


_RAW = """\
repository: {{.Repository}}
tag: {{.Tag}}
image_id: {{.ID}}
created_at: {{.CreatedAt}}
virtual_size: {{.Size}}
"""


def _since(created: int) -> str:
    return ago(created) if created > 0 else _UNKNOWN


def _counted(count: int) -> str:
    return _UNKNOWN if count == -1 else str(count)


def _sized(size: int) -> str:
    return _UNKNOWN if size == -1 else human_size(size)


def _unique(row: Row) -> str:
    shared = row.get("SharedSize", -1)
    return _UNKNOWN if shared == -1 else human_size(row["Size"] - shared)


def rows_of(images: Iterable[Row], *, digests: bool) -> Iterator[Row]:
    """A row for each name of each image: by tag, or by tag and digest."""
    for image in images:
        for repository, tag, digest in _names(image, digests=digests):
            yield {**image, "repository": repository, "tag": tag, "digest": digest}


def _names(image: Row, *, digests: bool) -> Iterator[tuple[str, str, str]]:
    tags = [name for name in image.get("RepoTags") or () if name != f"{NONE}:{NONE}"]
    known = [name for name in image.get("RepoDigests") or () if name != f"{NONE}@{NONE}"]
    by_repository: dict[str, tuple[list[str], list[str]]] = {}
    for name in tags:
        repository, _, tag = _familiar(name).rpartition(":")
        by_repository.setdefault(repository, ([], []))[0].append(tag)
    for name in known:
        repository, _, digest = _familiar(name).partition("@")
        by_repository.setdefault(repository, ([], []))[1].append(digest)
    if not by_repository:
        yield NONE, NONE, NONE
    for repository, (its_tags, its_digests) in by_repository.items():
        shown = (its_digests or [NONE]) if digests else [NONE]
        for tag in its_tags or [NONE]:
            for digest in shown:
                yield repository, tag, digest


def _familiar(name: str) -> str:
    return name.removeprefix("docker.io/").removeprefix("library/")
