"""COPY and ADD carried out: sources to a layer's archive in one pass."""

import itertools
import os
import posixpath
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Final

from knarr.build.context import SpooledArchive
from knarr.build.draft import LayerDraft
from knarr.build.graph import digest_of
from knarr.build.merkle import beneath, said, with_digest
from knarr.build.modes import Mode, mode_change
from knarr.build.ops import Copy, Selection
from knarr.build.owners import owner_ids
from knarr.build.selection import Picked, exactly, pick, place
from knarr.build.tree import Entry, Tree, resolve
from knarr.content import Compression, decompressor, sniffed
from knarr.errors import InvalidArgument
from knarr.ids import Digest
from knarr.patterns import IgnoreRules
from knarr.snapshot.tar import Member, header

_BLOCK: Final = 512
Sink = Callable[[bytes | memoryview], None]


class Copying:
    """One COPY or ADD on its base and inputs. Synchronous; off the loop.

    inputs: the trees of the vertex' inputs behind the base. scratch: for archives to unpack.
    latest_ns: SOURCE_DATE_EPOCH, or None. made_ns: the time of directories that are made.
    """

    def __init__(
        self,
        op: Copy,
        base: Tree,
        inputs: Sequence[Tree],
        *,
        scratch: Path,
        latest_ns: int | None = None,
        made_ns: int = 0,
    ) -> None:
        self._op = op
        self._base = base
        self._inputs = inputs
        self._scratch = scratch
        self._owner = owner_ids(op.owner, base) if op.owner else None
        self._mode: Mode = mode_change(op.mode)
        self._exclude = IgnoreRules.of(op.exclude) if op.exclude else None
        self._draft = LayerDraft(
            base,
            follow=op.follow,
            owner=self._owner or (0, 0),
            latest_ns=latest_ns,
            made_ns=made_ns,
        )

    def write(self, sink: Sink) -> list[Member]:
        """The layer's archive; returns its members."""
        op = self._op
        destination = op.destination.strip("/")
        found = [
            (self._inputs[selection.input - 1], selection, picked)
            for selection in op.selections
            for picked in pick(
                self._inputs[selection.input - 1], selection.paths, parents=op.parents
            )
        ]
        into = op.destination.endswith("/") or self._is_directory(destination)
        with ExitStack() as archives:
            for tree, selection, picked in found:
                self._add(tree, selection, picked, destination, archives, into=into)
            return self._draft.write(sink)

    @property
    def newest_ns(self) -> int:
        """The newest time of what was copied, in nanoseconds."""
        return self._draft.newest_ns

    def _is_directory(self, path: str) -> bool:
        found = resolve(self._base, path)
        return found is not None and found.is_directory

    def _add(
        self,
        tree: Tree,
        selection: Selection,
        picked: Picked,
        destination: str,
        archives: ExitStack,
        *,
        into: bool,
    ) -> None:
        own_top = self._op.parents
        if selection.unpack is not False and is_archive(tree, picked.entry):
            own_top = True
            archive = archives.enter_context(SpooledArchive(self._scratch / "unpacked.tar"))
            pieces = (bytes(piece) for piece in tree.read(picked.entry))
            archive.receive(lambda: next(pieces, b""), as_root=False)
            tree, picked = archive.tree, exactly(archive.tree, "")
        if picked.entry.is_directory and destination:
            self._draft.keep(destination)
        for placed in place(
            tree,
            picked,
            destination,
            into=into,
            exclude=self._exclude,
            parents=self._op.parents,
        ):
            if placed.top and (not placed.path or self._draft.keep(placed.path)):
                continue  # a directory that is there already stays as it is
            if placed.top and not own_top:  # a new one is the destination's, not the source's
                self._draft.make_directories(placed.path)
                continue
            self._draft.put(placed.path, tree, placed.entry, self._changed(placed.entry))

    def _changed(self, entry: Entry) -> Member:
        """With the owner and mode that the instruction asks for."""
        member = entry.member
        if self._owner is not None:
            member = member._replace(uid=self._owner[0], gid=self._owner[1])
        if self._op.mode and not entry.is_symlink:
            member = member._replace(mode=self._mode(member.mode, entry.is_directory))
        return member


def is_archive(tree: Tree, entry: Entry) -> bool:
    """Whether a file's content, packed or not, begins as a tar does."""
    if entry.member.kind != header.REGULAR or entry.member.size == 0:
        return False
    pieces = tree.read(entry)
    head = bytes(next(iter(pieces), b""))
    try:
        block = _first_block(sniffed(head), itertools.chain([head], pieces))
        return any(block) and header.parsed(block) is not None
    except InvalidArgument:
        return False


def _first_block(kind: Compression, pieces: Iterator[bytes | memoryview]) -> bytes:
    block = b""
    unpack = decompressor(kind)
    for piece in pieces:
        for plain in unpack.feed(bytes(piece)):
            block += plain
            if len(block) >= _BLOCK:
                return block[:_BLOCK]
    raise InvalidArgument("too short for an archive")


def selection_digest(tree: Tree, op: Copy, selection: Selection) -> Digest:
    """What a COPY will see of a context: the cache's key.

    Times do not count: a file that was only touched is the same file.
    """
    exclude = IgnoreRules.of(op.exclude) if op.exclude else None
    parts: list[object] = []
    for picked in pick(tree, selection.paths, parents=op.parents):
        parts.append(picked.name)
        if exclude is None:
            parts += _whole(tree, picked)
            continue
        placed = place(tree, picked, "", into=True, exclude=exclude, parents=op.parents)
        parts += [
            (os.fsencode(each.path).hex(), said(with_digest(tree, each.entry)).hex())
            for each in placed
        ]
    return digest_of(parts)


def subtree_digest(tree: Tree, path: str) -> Digest:
    """The same for what a bind mount shows of a context."""
    return digest_of(_whole(tree, exactly(tree, posixpath.normpath(path).strip("/").strip("."))))


def _whole(tree: Tree, picked: Picked) -> list[str]:
    """What was picked, and all beneath it."""
    entry = picked.entry
    if not entry.is_directory:
        return [said(with_digest(tree, entry)).hex()]
    return [said(entry).hex(), beneath(tree, entry.path).hex()]
