"""What lies beneath a directory, as one digest, directory by directory.

A directory's own part says what is in it: names, kinds, modes, owners, links and contents, never
times, so that a checkout or a `touch` changes nothing. The digest of a directory is that of its own
part and of the directories in it, by name. So a directory in which nothing changed is known by its
own part alone, wherever the tree comes from.
"""

import hashlib
from collections.abc import Callable, Iterable, Sequence
from typing import Protocol, runtime_checkable

from knarr.build.tree import Entry, Tree
from knarr.snapshot.tar import header


@runtime_checkable
class Remembering(Protocol):
    """A tree that knows of directories what they came to before."""

    def beneath(self, path: str) -> bytes:
        """As ``beneath`` of this module, sooner."""
        ...


def beneath(tree: Tree, top: str) -> bytes:
    """The digest of everything in the directory ``top``."""
    if isinstance(tree, Remembering):
        return tree.beneath(top)
    own: dict[str, bytes] = {}

    def folders(path: str) -> list[str]:
        entries = tree.listed(path)
        own[path] = own_part(said(with_digest(tree, entry)) for entry in entries)
        return [entry.path for entry in entries if entry.is_directory]

    return combined(top, folders, own.__getitem__)


def combined(
    top: str, folders: Callable[[str], Sequence[str]], own: Callable[[str], bytes]
) -> bytes:
    """The digest of ``top``. folders: paths of those in one. own: its own part, asked later."""
    inside: dict[str, Sequence[str]] = {}
    pending = [top]
    for path in pending:  # grows while it is walked: parents come before what is in them
        inside[path] = folders(path)
        pending.extend(inside[path])
    digests: dict[str, bytes] = {}
    for path in reversed(pending):
        sha = hashlib.sha256(own(path))
        for each in inside[path]:
            sha.update(digests.pop(each))
        digests[path] = sha.digest()
    return digests[top]


def own_part(lines: Iterable[bytes]) -> bytes:
    """Of what is ``said`` of each entry of one directory, by name."""
    return hashlib.sha256(b"".join(lines)).digest()


def said(entry: Entry) -> bytes:
    """One entry, in a form in which no two that differ are the same."""
    member = entry.member
    name = member.name.rpartition(b"/")[2]
    text = b"%d:%s%s %d %d %d %d %d:%s %d %d %s" % (
        len(name), name, member.kind, member.mode, member.uid, member.gid, member.size,
        len(member.link), member.link, member.major, member.minor, entry.digest,
    )  # fmt: skip
    for key, value in sorted(member.xattrs.items()):
        text += b" %d:%s%d:%s" % (len(key), key, len(value), value)
    return text + b"\n"


def said_file(name: bytes, mode: int, size: int, digest: bytes) -> bytes:
    """The same of a regular file of root's without attributes, as contexts have them."""
    return b"%d:%s0 %d 0 0 %d 0: 0 0 %s\n" % (len(name), name, mode, size, digest)


def joined(folder: str, name: str) -> str:
    return f"{folder}/{name}" if folder else name


def with_digest(tree: Tree, entry: Entry) -> Entry:
    """A tree that has not read its files yet reads them now."""
    if entry.digest or entry.member.kind != header.REGULAR:
        return entry
    sha = hashlib.sha256()
    for piece in tree.read(entry):
        sha.update(piece)
    return entry._replace(digest=sha.digest())
