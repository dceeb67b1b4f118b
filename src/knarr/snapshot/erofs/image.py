"""A tree as an EROFS image of metadata alone: each file is one chunk that lies in the tar.

    block 0, 1      empty: room for a boot loader
    1024            superblock; the device table behind it names one device, the tar
    1536            inodes, in slots of 32 bytes: extended form, then attributes, then either the
                    chunk's address, or a symbolic link's target or a small directory, inline
    then            the blocks of larger directories and of long link targets

Blocks are 512 bytes, as a tar's: so every file's content begins at a block of the device.

Source: Linux, fs/erofs/erofs_fs.h; names of fields are those.
"""

import os
import stat
import struct
from collections.abc import Iterator, Mapping
from typing import Final

from knarr.errors import Unsupported
from knarr.snapshot.erofs.tree import Node

_BLOCK: Final = 512
_BLOCK_BITS: Final = 9
_SLOT: Final = 32
_INODE_BYTES: Final = 64
_MAGIC: Final = 0xE0F5E1E2
_SUPER_OFFSET: Final = 1024
_DEVICE_SLOT: Final = (_SUPER_OFFSET + 128) // 128
_META: Final = 1536 // _BLOCK  # the first block of inodes
HEAD_BYTES: Final = _META * _BLOCK  # all before the inodes
_CHUNKED_FILE: Final = 0x4
_DEVICE_TABLE: Final = 0x8
_WITH_MTIME: Final = 0x2

_PLAIN: Final = 1 | 0 << 1  # i_format: extended inode, data in blocks of their own
_INLINE: Final = 1 | 2 << 1  # ... the last piece of data right behind the inode
_CHUNKS: Final = 1 | 4 << 1  # ... an array of chunks' addresses behind the inode
_INDEXES: Final = 0x20  # the addresses name a device
_CHUNK_BITS_MAX: Final = 31

# magic, checksum, feature_compat, blkszbits, extslots, root_nid, inos, build_time, nsec, blocks,
# meta_blkaddr, xattr_blkaddr, uuid, volume_name, feature_incompat, compr, extra_devices,
# devt_slotoff, dirblkbits, then nothing we use
_SUPER: Final = struct.Struct("<IIIBBHQQIIII16s16sIHHHB37x")
_DEVICE: Final = struct.Struct("<64sII56x")  # tag, blocks, mapped_blkaddr
# i_format, xattr_icount, mode, reserved, size, u, ino, uid, gid, mtime, mtime_nsec, nlink
_INODE: Final = struct.Struct("<HHHHQIIIIQII16x")
_CHUNK: Final = struct.Struct("<HHI")  # advise, device_id, blkaddr
_DIRENT: Final = struct.Struct("<QHBx")  # nid, nameoff, file_type
_XATTRS: Final = struct.Struct("<IB7x")  # name_filter, shared_count
_XATTR: Final = struct.Struct("<BBH")  # name_len, name_index, value_size
_XATTR_PREFIX: Final = {b"user.": 1, b"trusted.": 4, b"security.": 6}
_FILE_TYPE: Final = {
    stat.S_IFREG: 1, stat.S_IFDIR: 2, stat.S_IFCHR: 3, stat.S_IFBLK: 4, stat.S_IFIFO: 5,
    stat.S_IFLNK: 7,
}  # fmt: skip


def image(root: Node, tar_bytes: int, made_ns: int = 0) -> bytes:
    """The image of a tree whose files lie in a tar of that size. Fills in places and links.

    made_ns: when, in nanoseconds since the epoch; noted in the superblock.
    Raises Unsupported where a value does not fit the format.
    """
    return _Layout(root, tar_bytes, made_ns).image()


def made_ns(head: bytes) -> int:
    """When an image was made; ``head`` is its first 2 KiB. -1 where it is no image of ours."""
    if len(head) < HEAD_BYTES:
        return -1
    magic, *_, seconds, nanoseconds = _SUPER.unpack_from(head, _SUPER_OFFSET)[:9]
    return seconds * 1_000_000_000 + nanoseconds if magic == _MAGIC else -1


class _Layout:
    """Places first, since directories hold the places of their children; then bytes."""

    def __init__(self, root: Node, tar_bytes: int, made_ns: int) -> None:
        self._root = root
        self._made_ns = made_ns
        self._tar_blocks = -(-tar_bytes // _BLOCK)
        if self._tar_blocks >= 1 << 32:
            raise Unsupported("a layer of more than 2 TiB")
        self._nodes: list[Node] = []
        self._xattrs: dict[Node, bytes] = {}
        self._folders: dict[Node, int] = {}  # bytes of their entries
        self._parents = {root: root}
        # Of the inodes, from _META. Not 0: the C library's readdir passes over what has the inode
        # number 0, and the root is the ".." of its folders.
        self._end = _SLOT
        self._blocks = bytearray()  # what is not inline, behind the inodes
        self._first_block = 0

    def image(self) -> bytes:
        self._lay_out()
        self._first_block = _META + -(-self._end // _BLOCK)
        inodes = bytearray((self._first_block - _META) * _BLOCK)
        for number, node in enumerate(self._nodes, start=1):
            record = self._inode(node, number)
            inodes[node.place : node.place + len(record)] = record
        body = bytes(inodes) + bytes(self._blocks)
        return self._head(_META + len(body) // _BLOCK) + body

    def _lay_out(self) -> None:
        """A directory's inodes lie together. No recursion: trees may be deep."""
        root = self._root
        root.links = 2
        self._place(root)
        pending = [root]
        while pending:
            folder = pending.pop()
            assert folder.children is not None
            for child in folder.children.values():
                child.links += 1
                if child.place < 0:
                    self._place(child)
                if child.children is not None:
                    child.links += 1
                    folder.links += 1
                    self._parents[child] = folder
                    pending.append(child)

    def _place(self, node: Node) -> None:
        """The next slots; what is inline must not cross the end of a block."""
        size = _INODE_BYTES
        if node.xattrs:
            packed = self._xattrs[node] = _packed_xattrs(node.xattrs)
            size += len(packed)
        start = self._end
        if node.children is not None:
            entries = self._folders[node] = _entries_bytes(node.children)
            start, size = _inline(start, size, entries)
        elif node.link:
            start, size = _inline(start, size, len(node.link))
        elif node.size:
            size = -(-size // 8) * 8 + _CHUNK.size
        node.place = start
        self._end = start + -(-size // _SLOT) * _SLOT
        self._nodes.append(node)

    def _inode(self, node: Node, number: int) -> bytes:
        xattrs = self._xattrs.get(node, b"")
        if node.children is not None:
            return self._with_data(node, number, xattrs, self._entries(node))
        if node.link:
            return self._with_data(node, number, xattrs, node.link)
        if node.size:
            return self._in_tar(node, number, xattrs)
        return _head(node, number, xattrs, _PLAIN, _encoded_device(node.device)) + xattrs

    def _in_tar(self, node: Node, number: int, xattrs: bytes) -> bytes:
        """One chunk as large as the file, rounded up to a power of two of blocks."""
        block, rest = divmod(node.start, _BLOCK)
        bits = max((node.size - 1).bit_length() - _BLOCK_BITS, 0)
        if rest or bits > _CHUNK_BITS_MAX or block + -(-node.size // _BLOCK) > self._tar_blocks:
            raise Unsupported("a file that does not lie in the tar's blocks")
        record = _head(node, number, xattrs, _CHUNKS, _INDEXES | bits) + xattrs
        return record + bytes(-len(record) % 8) + _CHUNK.pack(0, 1, block)

    def _with_data(self, node: Node, number: int, xattrs: bytes, data: bytes) -> bytes:
        node.size = len(data)
        if _fits_inline(_INODE_BYTES + len(xattrs), len(data)):
            return _head(node, number, xattrs, _INLINE, 0) + xattrs + data
        block = self._first_block + len(self._blocks) // _BLOCK
        self._blocks += data + bytes(-len(data) % _BLOCK)
        return _head(node, number, xattrs, _PLAIN, block) + xattrs

    def _entries(self, node: Node) -> bytes:
        """Blocks of entries in order of names, each block with its own names behind its entries."""
        assert node.children is not None
        nodes = {**node.children, b".": node, b"..": self._parents[node]}
        blocks = []
        for group in _groups(sorted(nodes)):
            offset = len(group) * _DIRENT.size
            entries = []
            for name in group:
                each = nodes[name]
                kind = _FILE_TYPE[stat.S_IFMT(each.mode)]
                entries.append(_DIRENT.pack(each.place // _SLOT, offset, kind))
                offset += len(name)
            blocks.append(b"".join((*entries, *group)))
        full = [block.ljust(_BLOCK, b"\0") for block in blocks[:-1]]
        return b"".join((*full, blocks[-1]))

    def _head(self, blocks: int) -> bytes:
        """Everything before the inodes."""
        superblock = _SUPER.pack(
            _MAGIC, 0, _WITH_MTIME, _BLOCK_BITS, 0, self._root.place // _SLOT, len(self._nodes),
            *divmod(self._made_ns, 1_000_000_000), blocks, _META, 0, bytes(16), b"knarr",
            _CHUNKED_FILE | _DEVICE_TABLE, 0, 1,
            _DEVICE_SLOT, 0,
        )  # fmt: skip
        device = _DEVICE.pack(b"layer.tar", self._tar_blocks, 0)
        head = bytes(_SUPER_OFFSET) + superblock + device
        return head.ljust(_META * _BLOCK, b"\0")


def _head(node: Node, number: int, xattrs: bytes, form: int, u: int) -> bytes:
    seconds, nanoseconds = divmod(node.mtime_ns, 1_000_000_000)
    count = (len(xattrs) - _XATTRS.size) // 4 + 1 if xattrs else 0
    return _INODE.pack(
        form, count, node.mode, 0, node.size, u, number, node.uid, node.gid, seconds, nanoseconds,
        node.links,
    )  # fmt: skip


def _fits_inline(head: int, data: int) -> bool:
    return head + data <= _BLOCK


def _inline(start: int, head: int, data: int) -> tuple[int, int]:
    """Where an inode with inline data may begin, and how long it is; without it if too long."""
    if not _fits_inline(head, data):
        return start, head
    if start % _BLOCK + head + data > _BLOCK:
        start += -start % _BLOCK
    return start, head + data


def _groups(ordered: list[bytes]) -> Iterator[list[bytes]]:
    """As many names as fit into a block with their entries."""
    group: list[bytes] = []
    used = 0
    for name in ordered:
        need = _DIRENT.size + len(name)
        if used + need > _BLOCK:
            yield group
            group, used = [], 0
        group.append(name)
        used += need
    yield group


def _entries_bytes(children: Mapping[bytes, Node]) -> int:
    """How long ``_Layout._entries`` will be."""
    total = _DIRENT.size * (len(children) + 2) + 3 + sum(map(len, children))
    if total <= _BLOCK:
        return total
    groups = list(_groups(sorted((*children, b".", b".."))))
    last = sum(_DIRENT.size + len(name) for name in groups[-1])
    return (len(groups) - 1) * _BLOCK + last


def _packed_xattrs(xattrs: Mapping[bytes, bytes]) -> bytes:
    packed = [_XATTRS.pack(0, 0)]
    for key in sorted(xattrs):
        prefix = next(each for each in _XATTR_PREFIX if key.startswith(each))
        name, value = key[len(prefix) :], xattrs[key]
        if len(name) > 255 or len(value) > 65535:
            raise Unsupported("an attribute too large for the format")
        entry = _XATTR.pack(len(name), _XATTR_PREFIX[prefix], len(value)) + name + value
        packed.append(entry + bytes(-len(entry) % 4))
    joined = b"".join(packed)
    if len(joined) > 4 * 65535:
        raise Unsupported("more attributes than the format can count")
    return joined


def _encoded_device(number: int) -> int:
    """The kernel's own form: 12 bits of the major number amid 20 of the minor one."""
    major, minor = os.major(number), os.minor(number)
    return minor & 0xFF | major << 8 | (minor & ~0xFF) << 12
