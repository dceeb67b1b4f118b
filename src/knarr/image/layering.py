"""What layers upon layers come to: the merged tree, what each layer did to it, what is wasted.

Pure. Source: OCI image-spec, layer.md, "Applying Changesets" and "Whiteouts".
"""

import stat
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final

from knarr.snapshot.listing import Entry

_KINDS: Final = {
    stat.S_IFREG: "file", stat.S_IFDIR: "directory", stat.S_IFLNK: "link", stat.S_IFIFO: "pipe",
    stat.S_IFCHR: "device", stat.S_IFBLK: "device", stat.S_IFSOCK: "socket",
}  # fmt: skip

SameContent = Callable[[Entry, Entry], bool]


@dataclass(slots=True)
class Node:
    """A name in the merged tree, and the layer that it came with last."""

    entry: Entry
    layer: int
    children: "dict[bytes, Node]" = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Touched:
    """A path that a layer Added, Changed or Deleted."""

    kind: str  # A, C or D
    path: bytes
    size: int = 0


@dataclass(slots=True)
class LayerWork:
    """What one layer did. wasted_bytes: of its own files, hidden or removed by later layers."""

    touched: list[Touched] = field(default_factory=list)
    wasted_bytes: int = 0

    def count(self, kind: str) -> int:
        return sum(each.kind == kind for each in self.touched)


@dataclass(slots=True)
class Merged:
    """Layers applied one after the other. ``wasted``: bytes and how often, by path."""

    root: Node = field(default_factory=lambda: Node(Entry(b"", stat.S_IFDIR), -1))
    layers: list[LayerWork] = field(default_factory=list)
    wasted: dict[bytes, tuple[int, int]] = field(default_factory=dict)

    def apply(self, entries: Iterable[Entry]) -> None:
        """The next layer; parents come before their children."""
        work = LayerWork()
        self.layers.append(work)
        for entry in entries:
            self._one(entry, work)

    def _one(self, entry: Entry, work: LayerWork) -> None:
        number = len(self.layers) - 1
        if not entry.path:
            self._clear(self.root, b"", work)
            return
        folder, _, base = entry.path.rpartition(b"/")
        parent = self._folder(folder, number)
        before = parent.children.get(base)
        if entry.whiteout:
            if before is not None:
                self._remove(parent, base, entry.path, work)
            return
        if before is None:
            parent.children[base] = Node(entry, number)
            work.touched.append(Touched(kind="A", path=entry.path, size=entry.size))
        elif entry.is_folder and before.entry.is_folder:
            if differences(before.entry, entry, _any_content):
                work.touched.append(Touched(kind="C", path=entry.path))
            before.entry, before.layer = entry, number
            if entry.opaque:
                self._clear(before, entry.path, work)
        else:
            self._waste(before, entry.path)
            if before.entry.is_folder:
                self._clear(before, entry.path, work)
            parent.children[base] = Node(entry, number)
            work.touched.append(Touched(kind="C", path=entry.path, size=entry.size))

    def _folder(self, path: bytes, number: int) -> Node:
        """It is there: its own entry came first. One that a layer implies is made."""
        node = self.root
        for part in path.split(b"/") if path else ():
            if part not in node.children:
                node.children[part] = Node(Entry(path, stat.S_IFDIR | 0o755), number)
            node = node.children[part]
        return node

    def _remove(self, parent: Node, base: bytes, path: bytes, work: LayerWork) -> None:
        gone = parent.children.pop(base)
        if gone.layer < len(self.layers) - 1:  # else a layer takes back its own
            work.touched.append(Touched(kind="D", path=path))
        for each, node in walked(gone, path):
            self._waste(node, each)

    def _clear(self, folder: Node, path: bytes, work: LayerWork) -> None:
        """An opaque directory hides what lower layers have in it."""
        for base in list(folder.children):
            if folder.children[base].layer < len(self.layers) - 1:
                inner = path + b"/" + base if path else base
                self._remove(folder, base, inner, work)

    def _waste(self, node: Node, path: bytes) -> None:
        if node.entry.size and node.layer >= 0:
            self.layers[node.layer].wasted_bytes += node.entry.size
            size, times = self.wasted.get(path, (0, 0))
            self.wasted[path] = size + node.entry.size, times + 1


def walked(node: Node, path: bytes) -> Iterator[tuple[bytes, Node]]:
    """A node and all beneath it, in order."""
    yield path, node
    for base in sorted(node.children):
        yield from walked(node.children[base], path + b"/" + base if path else base)


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """A path that two trees do not have alike. ``what``: the properties that differ."""

    kind: str  # A: only the second has it; D: only the first; C: both
    path: bytes
    before_bytes: int = 0
    after_bytes: int = 0
    what: tuple[str, ...] = ()


def compared(one: Node, other: Node, same: SameContent, path: bytes = b"") -> Iterator[Difference]:
    """How the second tree differs from the first; of what one lacks, its uppermost directory."""
    for base in sorted(one.children.keys() | other.children.keys()):
        inner = path + b"/" + base if path else base
        before, after = one.children.get(base), other.children.get(base)
        if before is None and after is not None:
            yield Difference(kind="A", path=inner, after_bytes=tree_bytes(after))
        elif after is None and before is not None:
            yield Difference(kind="D", path=inner, before_bytes=tree_bytes(before))
        elif before is not None and after is not None:
            if what := differences(before.entry, after.entry, same):
                yield Difference(
                    kind="C", path=inner, before_bytes=before.entry.size,
                    after_bytes=after.entry.size, what=what,
                )  # fmt: skip
            if before.entry.is_folder and after.entry.is_folder:
                yield from compared(before, after, same, inner)


def tree_bytes(node: Node) -> int:
    return sum(each.entry.size for _, each in walked(node, b""))


def differences(one: Entry, other: Entry, same: SameContent) -> tuple[str, ...]:
    """Which properties differ. Times are none: every build makes new ones."""
    if stat.S_IFMT(one.mode) != stat.S_IFMT(other.mode):
        return (f"{_kind(one)} became {_kind(other)}",)
    found = []
    if one.mode != other.mode:
        found.append(f"mode {stat.S_IMODE(one.mode):04o} became {stat.S_IMODE(other.mode):04o}")
    if (one.uid, one.gid) != (other.uid, other.gid):
        found.append(f"owner {one.uid}:{one.gid} became {other.uid}:{other.gid}")
    if one.xattrs != other.xattrs:
        found.append("attributes")
    if one.link != other.link or one.device != other.device or not same(one, other):
        found.append("content")
    return tuple(found)


def _kind(entry: Entry) -> str:
    return _KINDS.get(stat.S_IFMT(entry.mode), "something")


def _any_content(one: Entry, other: Entry) -> bool:  # noqa: ARG001
    return True
