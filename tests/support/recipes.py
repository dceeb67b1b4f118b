"""Layers as recipes: JSON that says which members an archive has and which tree comes of it.

    {"why": "a sentence",
     "members": [{"name": "bin/su", "mode": "4755", "content": "x"}, ...],
     "tree": {"bin": "dir 0755 0:0", "bin/su": "file 4755 0:0 'x'"}}

or, of one that is refused, ``"refused": "words of the error"``. ``docker`` says where Docker does
otherwise. Members are written by Python's tarfile, so that our own writer is not its own judge.

A member has a name, and perhaps: type (file, dir, symlink, link, char, block, fifo, a raw flag),
content, link, mode, uid, gid, mtime, major, minor, pax (records), format (pax, gnu, ustar),
sparse ([[offset, text], ...] with size). ``\\udcXX`` in a name is the byte XX. ``repeat`` makes a
content long.
"""

import hashlib
import io
import json
import os
import stat
import tarfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

GOLDEN = Path(__file__).parent.parent / "golden" / "snapshot"
MTIME = 1_700_000_000
_TYPES = {
    "file": tarfile.REGTYPE, "dir": tarfile.DIRTYPE, "symlink": tarfile.SYMTYPE,
    "link": tarfile.LNKTYPE, "char": tarfile.CHRTYPE, "block": tarfile.BLKTYPE,
    "fifo": tarfile.FIFOTYPE,
}  # fmt: skip
_FORMATS = {
    "pax": tarfile.PAX_FORMAT, "gnu": tarfile.GNU_FORMAT, "ustar": tarfile.USTAR_FORMAT,
}  # fmt: skip
_SHOWN_CONTENT = 40


def recipes(folder: str = "") -> dict[str, dict[str, Any]]:
    """All recipes of ``tests/golden/snapshot`` or a folder in it, by name."""
    return {
        path.stem: json.loads(path.read_text()) for path in sorted((GOLDEN / folder).glob("*.json"))
    }


def built(recipe: Mapping[str, Any]) -> bytes:
    """The layer's tar."""
    buffer = io.BytesIO()
    for member in recipe["members"]:
        buffer.write(_member(member))
    if not recipe.get("unended"):
        buffer.write(bytes(1024))
    return buffer.getvalue()[: recipe.get("cut")]


def _member(member: Mapping[str, Any]) -> bytes:
    entry = tarfile.TarInfo(member["name"])
    kind = member.get("type", "file")
    entry.type = _TYPES.get(kind) or kind.encode("latin-1")
    entry.mode = int(member.get("mode", "755" if kind == "dir" else "644"), 8)
    entry.uid, entry.gid = member.get("uid", 0), member.get("gid", 0)
    entry.mtime = member.get("mtime", MTIME)
    entry.linkname = member.get("link", "")
    entry.devmajor, entry.devminor = member.get("major", 0), member.get("minor", 0)
    entry.pax_headers = dict(member.get("pax", {}))
    content = member.get("content", "").encode("utf-8", "surrogateescape")
    content *= member.get("repeat", 1)
    if "sparse" in member:
        return _gnu_sparse(entry, member["size"], member["sparse"])
    entry.size = member.get("size", len(content))
    form = _FORMATS[member.get("format", "pax")]
    head: bytes = entry.tobuf(form, "utf-8", "surrogateescape")  # type: ignore[arg-type]
    if entry.name.endswith("/") and kind == "file":
        head = _with_name(head, entry.name)
    return b"".join((head, content, bytes(-len(content) % 512)))


def _with_name(head: bytes, name: str) -> bytes:
    """tarfile takes a slash at the end away; some writers do not."""
    block = bytearray(head)
    block[:100] = name.encode().ljust(100, b"\0")
    return _summed(block)


def _gnu_sparse(entry: tarfile.TarInfo, size: int, segments: list[tuple[int, str]]) -> bytes:
    """A sparse file in the old GNU form; up to four segments."""
    contents = [text.encode() for _, text in segments]
    entry.size = sum(map(len, contents))
    block = bytearray(entry.tobuf(tarfile.GNU_FORMAT))
    block[156:157] = b"S"
    for place, ((offset, _), content) in enumerate(zip(segments, contents, strict=True)):
        start = 386 + 24 * place
        block[start : start + 24] = b"%011o\0%011o\0" % (offset, len(content))
    block[483:495] = b"%011o\0" % size
    payload = b"".join(contents)
    return _summed(block) + payload + bytes(-len(payload) % 512)


def _summed(block: bytearray) -> bytes:
    block[148:156] = b" " * 8
    block[148:156] = b"%06o\0 " % sum(block)
    return bytes(block)


def tree(folder: Path) -> dict[str, str]:
    """What stands in a layer's directory, one line for each name, as recipes write it."""
    first: dict[tuple[int, int], str] = {}
    return dict(_lines(os.fsencode(folder), b"", first))


def _lines(
    folder: bytes, prefix: bytes, first: dict[tuple[int, int], str]
) -> Iterator[tuple[str, str]]:
    for base in sorted(os.listdir(folder)):
        path, name = folder + b"/" + base, os.fsdecode(prefix + base)
        there = os.lstat(path)
        yield name, _line(path, name, there, first)
        if stat.S_ISDIR(there.st_mode):
            yield from _lines(path, prefix + base + b"/", first)


def _line(path: bytes, name: str, there: os.stat_result, first: dict[tuple[int, int], str]) -> str:
    mode = f"{stat.S_IMODE(there.st_mode):04o} {there.st_uid}:{there.st_gid}"
    match stat.S_IFMT(there.st_mode):
        case stat.S_IFDIR:
            line = f"dir {mode}"
        case stat.S_IFREG:
            line = f"file {mode} {_content(path)}"
        case stat.S_IFLNK:
            line = f"symlink {there.st_uid}:{there.st_gid} -> {os.fsdecode(os.readlink(path))}"
        case stat.S_IFIFO:
            line = f"fifo {mode}"
        case stat.S_IFCHR if there.st_rdev == 0:
            return "whiteout"
        case other:
            kind = "char" if other == stat.S_IFCHR else "block"
            line = f"{kind} {mode} {os.major(there.st_rdev)},{os.minor(there.st_rdev)}"
    if there.st_mtime_ns != MTIME * 1_000_000_000:
        now = there.st_mtime > MTIME + 86_400  # of a directory that has no entry
        line += " now" if now else f" @{there.st_mtime_ns / 1e9:.12g}"
    if not stat.S_ISDIR(there.st_mode) and there.st_nlink > 1:
        original = first.setdefault((there.st_dev, there.st_ino), name)
        line += f" = {original}" if original != name else ""
    return line + "".join(_xattrs(path))


def _xattrs(path: bytes) -> Iterator[str]:
    for key in sorted(os.listxattr(path, follow_symlinks=False)):
        value = os.getxattr(path, key, follow_symlinks=False)
        if key == "trusted.overlay.opaque":
            yield " opaque"
        elif not key.startswith("trusted.overlay."):
            yield f" {key}={value.hex()}"


def _content(path: bytes) -> str:
    with open(path, "rb") as file:
        content = file.read()
    if len(content) <= _SHOWN_CONTENT:
        return repr(content.decode("utf-8", "surrogateescape"))
    return f"{len(content)} bytes {hashlib.sha256(content).hexdigest()[:12]}"
