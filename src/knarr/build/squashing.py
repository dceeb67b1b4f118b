"""Several layers as one: what a later one replaces or removes is not in it.

Source: OCI image-spec, layer.md, "Whiteouts".
"""

import mmap
import os
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from typing import NamedTuple

from knarr.ids import DiffId
from knarr.snapshot import Layers
from knarr.snapshot.names import OPAQUE, WHITEOUT
from knarr.snapshot.tar import END, Member, formatted, header, members, padding

_PIECE_BYTES = 1 << 20
Sink = Callable[[bytes | memoryview], None]


class _Kept(NamedTuple):
    member: Member
    data: mmap.mmap


def squash(layers: Layers, diff_ids: Sequence[DiffId], sink: Sink) -> None:
    """Write one archive that does what these layers do, lowest first."""
    with ExitStack() as undo:
        squashed = _Squashed()
        for diff_id in diff_ids:
            fd = layers.open_tar(diff_id)
            undo.callback(os.close, fd)
            data = undo.enter_context(mmap.mmap(fd, 0, prot=mmap.PROT_READ))
            with memoryview(data) as seen:
                for member in members(seen):
                    squashed.add(member, data)
        squashed.write(sink)


class _Squashed:
    def __init__(self) -> None:
        self._kept: dict[bytes, _Kept] = {}

    def add(self, member: Member, data: mmap.mmap) -> None:
        name = b"/".join(part for part in member.name.split(b"/") if part not in {b"", b"."})
        folder, _, base = name.rpartition(b"/")
        prefix = folder + b"/" if folder else b""
        if base == OPAQUE:
            self._remove_beneath(prefix)
        elif base.startswith(WHITEOUT):
            self._remove(prefix + base[len(WHITEOUT) :])
        else:
            if member.kind != header.DIRECTORY:
                self._remove(name)
            # What an earlier layer removed and this one brings back hides the base's still.
            removed = self._kept.pop(prefix + WHITEOUT + base, None)
            if removed is not None and member.kind == header.DIRECTORY:
                marker = name + b"/" + OPAQUE
                self._kept[marker] = _Kept(removed.member._replace(name=marker), data)
        if name:
            self._kept[name] = _Kept(member._replace(name=name), data)

    def _remove(self, name: bytes) -> None:
        self._kept.pop(name, None)
        self._remove_beneath(name + b"/")

    def _remove_beneath(self, prefix: bytes) -> None:
        for name in [each for each in self._kept if each.startswith(prefix)]:
            del self._kept[name]

    def write(self, sink: Sink) -> None:
        for name in sorted(self._kept, key=lambda each: each.replace(b"/", b"\0")):
            member, data = self._kept[name]
            suffix = b"/" if member.kind == header.DIRECTORY else b""
            sink(formatted(member._replace(name=name + suffix)))
            if member.kind == header.REGULAR and member.stored:
                for start in range(0, member.stored, _PIECE_BYTES):
                    end = min(start + _PIECE_BYTES, member.stored)
                    sink(data[member.start + start : member.start + end])
                sink(bytes(padding(member.stored)))
        sink(END)
