"""A layer as it is drafted, against what a reader of its archive finds."""

from dataclasses import dataclass, field
from typing import Any

import pytest

from knarr.build.draft import EmptyTree, LayerDraft
from knarr.build.tree import ArchiveTree, Entry, Tree, walk
from knarr.snapshot.erofs.image import image
from knarr.snapshot.erofs.tree import tree as erofs_tree
from knarr.snapshot.tar import Member, header, members
from support.trees import tree

_SECOND_NS = 1_000_000_000
_LARGE_BYTES = 3 << 20


def _all_sorts() -> ArchiveTree:
    files = {"d/empty": "", "d/x": "X", "d/sub/y": "Y" * 1000, "link": "-> d/x", "e": None}
    made = tree({**files, "d/large": "L" * _LARGE_BYTES})
    odd: dict[str, dict[str, Any]] = {
        "d/" + "long" * 40: {"mode": 0o4755, "uid": 1 << 22, "gid": 5},
        "näme": {"mtime_ns": -5},
        "late": {"mtime_ns": (1 << 34) * _SECOND_NS + 7},
        "early": {"mtime_ns": 1_700_000_000 * _SECOND_NS + 999},
        "\udcff": {"xattrs": {b"user.k": b"v" * 600}},
        "pipe": {"kind": header.FIFO},
        "null": {"kind": header.CHARACTER, "major": 1, "minor": 3},
    }
    for path, fields in odd.items():
        name = path.encode(errors="surrogateescape")
        member = Member(name, header.REGULAR, 0o600, 0, 0, 0, 0)._replace(**fields)
        made.add(Entry(path, member))
    x = made.entries["d/x"]
    made.entries["d/x"] = x._replace(same=1)
    made.add(x._replace(path="z", same=1))
    return made


def _written(*trees: Tree, base: Tree | None = None) -> tuple[bytes, list[Member]]:
    draft = LayerDraft(base or EmptyTree(), made_ns=12 * _SECOND_NS + 34)
    for each in trees:
        for entry in walk(each, ""):
            draft.put(f"to/{entry.path}", each, entry, entry.member)
    pieces: list[bytes] = []
    told = draft.write(lambda piece: pieces.append(bytes(piece)))
    return b"".join(pieces), told


def test_a_draft_tells_the_members_that_a_reader_finds() -> None:
    archive, told = _written(_all_sorts())
    assert len(told) == 17
    assert told == list(members(archive))


def test_an_index_is_the_same_whether_the_archive_is_read_or_known() -> None:
    archive, told = _written(_all_sorts())
    known, read = (erofs_tree(found, 5) for found in (told, members(archive)))
    assert known[1] == read[1]
    assert image(known[0], len(archive), 5) == image(read[0], len(archive), 5)


@dataclass(slots=True)
class _Asked(ArchiveTree):
    """Notes what it is asked for."""

    asked: list[str] = field(default_factory=list)

    def entry(self, path: str) -> Entry | None:
        self.asked.append(path)
        return ArchiveTree.entry(self, path)


@pytest.mark.parametrize("there", [{}, {"to": None}, {"to/d": None, "to/d/x": "old"}])
def test_the_base_is_not_asked_for_what_is_in_folders_that_it_lacks(
    there: dict[str, str | None],
) -> None:
    known = tree(there)
    base = _Asked(known.data, known.entries, known.children)
    archive, _ = _written(tree({"d/x": "new", "d/sub/y": "Y", "s/z": "Z"}), base=base)
    assert b"new" in archive
    parents = {path.rpartition("/")[0] for path in base.asked}
    assert parents <= {"", *base.entries}
