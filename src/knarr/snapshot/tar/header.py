"""One header of 512 bytes, to and fro; the PAX records before it."""

import os
import struct
from collections.abc import Mapping
from functools import lru_cache
from typing import Final, NamedTuple
from zlib import adler32

from knarr.errors import InvalidArgument

BLOCK: Final = 512
END: Final = bytes(2 * BLOCK)  # what closes an archive

REGULAR: Final = b"0"
HARD_LINK: Final = b"1"
SYMLINK: Final = b"2"
CHARACTER: Final = b"3"
BLOCK_DEVICE: Final = b"4"
DIRECTORY: Final = b"5"
FIFO: Final = b"6"
CONTIGUOUS: Final = b"7"
OLD_REGULAR: Final = b"\0"
GNU_SPARSE: Final = b"S"
GNU_LONG_NAME: Final = b"L"
GNU_LONG_LINK: Final = b"K"
PAX: Final = b"x"
PAX_GLOBAL: Final = b"g"

XATTR: Final = b"SCHILY.xattr."
SPARSE_MAP: Final = b"GNU.sparse.map"
_SPARSE_PARTS: Final = frozenset({b"GNU.sparse.offset", b"GNU.sparse.numbytes"})

# name, mode, uid, gid, size, mtime, checksum, kind, link, magic, uname, gname, major, minor, prefix
_LAYOUT: Final = struct.Struct("100s8s8s8s12s12s8sc100s8s32s32s8s8s155s12x")
_USTAR: Final = b"ustar\x0000"
_CHECKSUM: Final = slice(148, 156)
_SECOND_NS: Final = 1_000_000_000


class Member(NamedTuple):
    """One member of an archive.

    A NamedTuple, because there are 14,000 of them in a layer and a frozen dataclass takes four
    times as long to make.
    """

    name: bytes  # as written: perhaps with ./ before or / behind
    kind: bytes  # one of the type flags above; OLD_REGULAR and CONTIGUOUS are told as REGULAR
    mode: int  # permission bits, setuid, setgid and sticky
    uid: int
    gid: int
    size: int  # bytes of its content; of a sparse file with its holes
    mtime_ns: int  # nanoseconds since the epoch
    link: bytes = b""
    major: int = 0
    minor: int = 0
    xattrs: Mapping[bytes, bytes] = {}  # nobody writes to it
    start: int = 0  # where its content begins in the archive
    stored: int = 0  # bytes of content in the archive
    segments: tuple[tuple[int, int], ...] | None = None  # of a sparse file: (offset, length) each


class Header(NamedTuple):
    """The fields of one header block, before long names and PAX records are put in."""

    name: bytes
    mode: int
    uid: int
    gid: int
    size: int
    mtime: int  # seconds
    kind: bytes
    link: bytes
    major: int
    minor: int


def padding(size: int) -> int:
    """How many zeros follow ``size`` bytes of content."""
    return -size % BLOCK


def parsed(block: bytes) -> Header:
    """The fields of a header block. Raises InvalidArgument where it is none."""
    (name, mode, uid, gid, size, mtime, checksum, kind, link, magic, _, _, major, minor, prefix) = (
        _LAYOUT.unpack(block)
    )
    # The low half of Adler-32 is one more than the sum of up to 256 bytes, which stays below its
    # modulus of 65521: ten times faster than `sum`. The checksum itself counts as eight spaces.
    total = (adler32(block[:256]) & 0xFFFF) + (adler32(block[256:]) & 0xFFFF) - 2
    if number(checksum) != total - _digits(checksum) + 8 * 0x20:
        _refuse_unless_signed(block, number(checksum))
    name = name.partition(b"\0")[0]
    if magic == _USTAR and prefix[0]:
        name = prefix.partition(b"\0")[0] + b"/" + name
    device = kind in (CHARACTER, BLOCK_DEVICE)
    return Header(
        name,
        number(mode) & 0o7777,
        number(uid),
        number(gid),
        number(size),
        number(mtime),
        kind,
        link.partition(b"\0")[0] if link[0] else b"",
        number(major) if device else 0,
        number(minor) if device else 0,
    )


@lru_cache(4096)  # modes, owners and times repeat
def number(field: bytes) -> int:
    """A number in octal digits, or in base 256 where the first bit is set."""
    if field[0] & 0x80:
        negative = field[0] & 0x40
        value = int.from_bytes(bytes([field[0] & 0x7F]) + field[1:], "big")
        return value - (1 << (8 * len(field) - 1)) if negative else value
    text = field.strip(b" \0").partition(b"\0")[0]
    if not text:
        return 0
    if not text.isdigit():
        raise InvalidArgument(f"invalid tar header: {text!r} is no number")
    try:
        return int(text, 8)
    except ValueError:
        raise InvalidArgument(f"invalid tar header: {text!r} is no octal number") from None


_digits: Final = lru_cache(4096)(sum)  # of the eight bytes that hold a checksum


def _refuse_unless_signed(block: bytes, checksum: int) -> None:
    """Some old programs summed signed characters."""
    blank = block[:148] + b" " * 8 + block[156:]
    if checksum != sum(byte - 256 if byte > 127 else byte for byte in blank):
        raise InvalidArgument("invalid tar header: wrong checksum")


def pax_records(payload: bytes) -> dict[bytes, bytes]:
    """The records ``LENGTH KEY=VALUE\\n``. Raises InvalidArgument where they are broken."""
    records: dict[bytes, bytes] = {}
    position = 0
    while position < len(payload):
        digits, space, _ = payload[position : position + 20].partition(b" ")
        end = position + int(digits) if space and digits.isdigit() else 0
        record = payload[position + len(digits) + 1 : end]
        key, equals, value = record.partition(b"=")
        if not (equals and key and record.endswith(b"\n") and end <= len(payload)):
            if not payload[position:].strip(b"\0"):
                break  # some writers pad with zeros
            raise InvalidArgument("invalid tar header: broken PAX record")
        if key in _SPARSE_PARTS:  # notation 0.0 repeats its keys: told as 0.1 does
            key, value = SPARSE_MAP, records.get(SPARSE_MAP, b"") + b"," + value
        records[key] = value[:-1]
        position = end
    return records


def pax_time_ns(text: bytes) -> int:
    """Nanoseconds of a decimal number of seconds, finer digits cut off."""
    whole, _, fraction = text.partition(b".")
    negative = whole.startswith(b"-")
    digits = whole.lstrip(b"-") or b"0"
    if not digits.isdigit() or len(digits) > 20 or (fraction and not fraction.isdigit()):
        raise InvalidArgument(f"invalid tar header: {text!r} is no time")
    value = int(digits) * _SECOND_NS + int(fraction[:9].ljust(9, b"0"))
    return -value if negative else value


def formatted(member: Member, name: bytes = b"") -> bytes:
    """The header of a member, with a PAX header before it where that must be.

    name: in place of the member's own. Deterministic; times are whole seconds, owners have no
    names. ``start`` and ``segments`` do not count: content follows whole, then ``padding``.
    """
    name, link = name or member.name, member.link
    records: dict[bytes, bytes] = {}
    prefix, short = _split(name)
    if len(short) > 100 or not name.isascii():
        records[b"path"] = name
        prefix, short = b"", short[-100:] if not name.endswith(b"/") else short[-100:-1] + b"/"
    if len(link) > 100 or not link.isascii():
        records[b"linkpath"] = link
    mtime = max(member.mtime_ns // _SECOND_NS, 0)
    for key, value, limit in (
        (b"uid", member.uid, 1 << 21),
        (b"gid", member.gid, 1 << 21),
        (b"size", member.size, 1 << 33),
        (b"mtime", mtime, 1 << 33),
    ):
        if value >= limit:
            records[key] = b"%d" % value
    for key in sorted(member.xattrs):
        records[XATTR + key] = member.xattrs[key]
    header = _ustar(
        short[-100:],
        member.kind,
        member.mode,
        member.uid if member.uid < 1 << 21 else 0,
        member.gid if member.gid < 1 << 21 else 0,
        member.size if member.size < 1 << 33 else 0,
        mtime if mtime < 1 << 33 else 0,
        link[:100],
        member.major,
        member.minor,
        prefix,
    )
    return _pax(records) + header if records else header


def _split(name: bytes) -> tuple[bytes, bytes]:
    """Into ustar's prefix (up to 155 bytes) and name (up to 100); (b"", name) where it won't."""
    if len(name) <= 100:
        return b"", name
    slash = name.rfind(b"/", 0, 156)
    if slash <= 0 or len(name) - slash - 1 > 100 or len(name) - slash - 1 == 0:
        return b"", name
    return name[:slash], name[slash + 1 :]


def _pax(records: Mapping[bytes, bytes]) -> bytes:
    payload = b"".join(_record(key, records[key]) for key in sorted(records))
    header = _ustar(b"PaxHeaders.0/x", PAX, 0o644, 0, 0, len(payload), 0, b"", 0, 0, b"")
    return header + payload + bytes(padding(len(payload)))


def _record(key: bytes, value: bytes) -> bytes:
    """A record begins with its own length, which counts its own digits."""
    rest = len(key) + len(value) + 3
    length = rest + len(str(rest))
    length = rest + len(str(length))
    return b"%d %s=%s\n" % (length, key, value)


def _ustar(
    name: bytes,
    kind: bytes,
    mode: int,
    uid: int,
    gid: int,
    size: int,
    mtime: int,
    link: bytes,
    major: int,
    minor: int,
    prefix: bytes,
) -> bytes:
    owner, owner_sum = _owner(mode, uid, gid)
    tail, tail_sum = _tail(kind, link, major, minor, prefix)
    times = b"%011o\0%011o\0" % (size, mtime)
    # Adler-32 of few bytes: see `parsed`. The checksum itself counts as eight spaces.
    total = (adler32(name) & 0xFFFF) + (adler32(times) & 0xFFFF) - 2
    total += owner_sum + tail_sum + 8 * 0x20
    return b"%s%s%s%06o\0 %s" % (name.ljust(100, b"\0"), owner, times, total, tail)


@lru_cache(4096)  # the members of an archive are of few kinds, modes and owners
def _owner(mode: int, uid: int, gid: int) -> tuple[bytes, int]:
    """The fields that say who may do what, and the sum of their bytes."""
    fields = b"%07o\0%07o\0%07o\0" % (mode & 0o7777, uid, gid)
    return fields, sum(fields)


@lru_cache(4096)
def _tail(kind: bytes, link: bytes, major: int, minor: int, prefix: bytes) -> tuple[bytes, int]:
    """All that follows the checksum, and the sum of its bytes."""
    fields = b"%s%s%s%s%07o\0%07o\0%s" % (
        kind, link.ljust(100, b"\0"), _USTAR, bytes(64), major, minor, prefix.ljust(167, b"\0"),
    )  # fmt: skip
    return fields, sum(fields)


def device(member: Member) -> int:
    return os.makedev(member.major, member.minor)
