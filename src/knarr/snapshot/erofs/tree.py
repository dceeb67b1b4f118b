"""An archive's members as a tree in memory: what `unpack` would make on the disk.

The rules are those of unpack.py, member by member; both are held to the same golden layers. What
would need paths to be resolved (a member behind a symbolic link of the same layer), and sparse
files, is left to that driver: Unsupported.
"""

import errno
import os
import stat
from collections.abc import Iterable, Mapping
from typing import Final

from knarr.errors import InvalidArgument, Unsupported
from knarr.snapshot import names
from knarr.snapshot.contents import Contents
from knarr.snapshot.tar import header
from knarr.snapshot.tar.header import Member

OPAQUE_XATTR: Final = b"trusted.overlay.opaque"
_IMPLIED_MODE: Final = stat.S_IFDIR | 0o755
_CAPABILITY: Final = b"security.capability"
_NO_XATTRS: Final[Mapping[bytes, bytes]] = {}
_FILE_TYPE: Final = {
    header.REGULAR: stat.S_IFREG, header.DIRECTORY: stat.S_IFDIR, header.SYMLINK: stat.S_IFLNK,
    header.CHARACTER: stat.S_IFCHR, header.BLOCK_DEVICE: stat.S_IFBLK, header.FIFO: stat.S_IFIFO,
}  # fmt: skip


class Node:
    """An inode; ``children`` are None unless it is a directory. Edited while the tree is built."""

    __slots__ = (
        "children", "device", "gid", "link", "links", "mode", "mtime_ns", "place", "size",
        "start", "uid", "xattrs",
    )  # fmt: skip

    def __init__(self, mode: int, uid: int = 0, gid: int = 0, mtime_ns: int = 0) -> None:
        self.mode = mode
        self.uid = uid
        self.gid = gid
        self.mtime_ns = mtime_ns
        self.size = 0
        self.start = 0  # of its content in the tar
        self.link = b""
        self.device = 0
        self.xattrs: Mapping[bytes, bytes] = _NO_XATTRS
        self.links = 0  # names
        self.place = -1  # in the image, set when that is laid out
        self.children: dict[bytes, Node] | None = {} if stat.S_ISDIR(mode) else None

    @property
    def is_whiteout(self) -> bool:
        return stat.S_ISCHR(self.mode) and self.device == 0

    def set_xattrs(self, xattrs: Mapping[bytes, bytes]) -> None:
        """Besides those it has."""
        kept = {key: value for key, value in xattrs.items() if names.kept_xattr(key)}
        if kept:
            self.xattrs = {**self.xattrs, **kept}

    def make_opaque(self) -> None:
        self.xattrs = {**self.xattrs, OPAQUE_XATTR: b"y"}


def tree(members: Iterable[Member], now_ns: int) -> tuple[Node, Contents]:
    """The root of an archive's tree, and what it holds.

    now_ns: the time of directories that the archive only implies.
    Raises InvalidArgument for a hostile or broken archive, Unsupported for one that must be
    unpacked.
    """
    builder = _Builder(now_ns)
    content_bytes = entries = 0
    for member in members:
        builder.place(member)
        content_bytes += member.size
        entries += 1
    return builder.root, Contents(content_bytes=content_bytes, entries=entries)


class _Builder:
    def __init__(self, now_ns: int) -> None:
        self.root = Node(_IMPLIED_MODE, mtime_ns=now_ns)
        self._now_ns = now_ns
        self._head = b""  # the parent of the last member, as it was written
        self._parent = self.root

    def place(self, member: Member) -> None:
        name = member.name.rstrip(b"/")
        head, _, base = name.rpartition(b"/")
        if base in (b"", b"."):
            self._place_odd(member, name)
            return
        names.checked_base(name, base)
        if names.is_aufs(name):
            return
        if head != self._head:
            self._parent = self._directory(head, name)
            self._head = head
        parent = self._parent
        assert parent.children is not None
        if base.startswith(names.WHITEOUT):
            _whiteout(parent, base)
        elif member.kind == header.DIRECTORY:
            self._make_directory(parent.children, base, member)
        elif member.kind == header.HARD_LINK:
            self._hard_link(parent.children, base, member, names.folder(name))
        else:
            self._put(parent.children, base, _node(member, name))

    def _place_odd(self, member: Member, name: bytes) -> None:
        """The root itself, or a name that ends in a dot."""
        plain = names.folder(name)
        if plain:
            self.place(member._replace(name=plain))
        elif member.kind == header.DIRECTORY:
            _settle(self.root, member)
        else:
            raise names.refused(name, "would replace the layer's root")

    def _put(self, children: dict[bytes, Node], base: bytes, node: Node) -> None:
        there = children.get(base)
        if there is not None and (there.children is not None or stat.S_ISLNK(there.mode)):
            self._head, self._parent = b"", self.root  # it may have been on the way there
        children[base] = node

    def _make_directory(self, children: dict[bytes, Node], base: bytes, member: Member) -> None:
        """A directory that is there stays, with new owner, mode and times."""
        there = children.get(base)
        if there is None or there.children is None:
            node = Node(stat.S_IFDIR)
            if there is not None and there.is_whiteout:
                node.make_opaque()
            self._put(children, base, node)
            there = node
        _settle(there, member)

    def _hard_link(
        self, children: dict[bytes, Node], base: bytes, member: Member, plain: bytes
    ) -> None:
        target = names.folder(member.link, member.name)
        if not target or target == plain:
            raise names.refused(member.name, "is a hard link to itself or to the root")
        if target.startswith(plain + b"/"):  # what it replaces is gone before the link is made
            raise _failed(member.name, errno.ENOENT)
        head, _, last = target.rpartition(b"/")
        source = self._found(head, member.name).children
        node = source.get(last) if source is not None else None
        if node is None:
            raise _failed(member.name, errno.ENOENT)
        if node.is_whiteout:
            raise names.refused(member.name, "is a hard link to nothing in this layer")
        if node.children is not None:
            raise _failed(member.name, errno.EPERM)
        self._put(children, base, node)
        if (node.uid, node.gid) != (member.uid, member.gid) and _CAPABILITY in node.xattrs:
            node.xattrs = {k: v for k, v in node.xattrs.items() if k != _CAPABILITY}
        _settle(node, member)

    def _found(self, head: bytes, name: bytes) -> Node:
        """A directory that must be there."""
        node = self.root
        for part in head.split(b"/") if head else ():
            child = node.children.get(part) if node.children is not None else None
            if child is None:
                raise _failed(name, errno.ENOENT)
            if child.children is None:
                raise _not_a_folder(child, name)
            node = child
        return node

    def _directory(self, head: bytes, name: bytes) -> Node:
        """The directory of a member, made where the archive only implies it."""
        plain = names.folder(head, name)
        node = self.root
        for part in plain.split(b"/") if plain else ():
            assert node.children is not None
            child = node.children.get(part)
            if child is None:
                child = node.children[part] = Node(_IMPLIED_MODE, mtime_ns=self._now_ns)
            if child.children is None:
                raise _not_a_folder(child, name)
            node = child
        return node


def _node(member: Member, name: bytes) -> Node:
    kind = _FILE_TYPE.get(member.kind)
    if kind is None:
        raise names.refused(name, f"is of the unknown type {member.kind!r}")
    node = Node(kind | member.mode, member.uid, member.gid, _mtime_ns(member))
    if kind == stat.S_IFREG:
        if member.segments is not None:
            raise Unsupported("a sparse file")
        node.size, node.start = member.size, member.start
        node.set_xattrs(member.xattrs)
    elif kind == stat.S_IFLNK:
        if not member.link:
            raise _failed(name, errno.ENOENT)
        if len(member.link) > 4095:
            raise _failed(name, errno.ENAMETOOLONG)
        node.mode, node.link = stat.S_IFLNK | 0o777, member.link
    elif kind != stat.S_IFIFO:
        node.device = os.makedev(member.major, member.minor)
        if node.is_whiteout:
            raise names.refused(name, "is a device 0:0, overlayfs' own form of a whiteout")
    return node


def _settle(node: Node, member: Member) -> None:
    """Owner, mode, attributes and time of a header for what is there already."""
    node.uid, node.gid, node.mtime_ns = member.uid, member.gid, _mtime_ns(member)
    if not stat.S_ISLNK(node.mode):
        node.mode = stat.S_IFMT(node.mode) | member.mode
        if node.children is not None or stat.S_ISREG(node.mode):
            node.set_xattrs(member.xattrs)


def _whiteout(parent: Node, base: bytes) -> None:
    """Hides what lower layers have; what this layer has of that name is not touched."""
    assert parent.children is not None
    if base == names.OPAQUE:
        parent.make_opaque()
        return
    hidden = base[len(names.WHITEOUT) :]
    there = parent.children.get(hidden)
    if there is None:
        parent.children[hidden] = Node(stat.S_IFCHR)
    elif there.children is not None:
        there.make_opaque()


def _not_a_folder(node: Node, name: bytes) -> Exception:
    if stat.S_ISLNK(node.mode):
        return Unsupported("a member behind a symbolic link")
    return _failed(name, errno.ENOTDIR)


def _failed(name: bytes, code: int) -> InvalidArgument:
    """What the kernel would say to the same on a disk."""
    return InvalidArgument(f"invalid layer: {names.shown(name)}: {os.strerror(code)}")


def _mtime_ns(member: Member) -> int:
    return member.mtime_ns if 0 <= member.mtime_ns < 1 << 63 else 0
