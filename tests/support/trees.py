"""Trees of files for tests of the build room: made of a few words, read back from an archive."""

import hashlib
import io
import tarfile
from collections.abc import Mapping
from pathlib import Path

from knarr.build.context import SpooledArchive
from knarr.build.draft import LayerDraft
from knarr.build.tree import ArchiveTree, Entry
from knarr.snapshot.tar import Member, header, members


def tree(files: Mapping[str, str | None], *, mode: int = 0o644) -> ArchiveTree:
    """A tree of files with these contents; None makes a directory, ``-> x`` a symbolic link."""
    data = bytearray()
    made = ArchiveTree(b"")
    for path, content in files.items():
        name = path.encode()
        if content is None:
            made.add(Entry(path, Member(name, header.DIRECTORY, 0o755, 0, 0, 0, 0)))
        elif content.startswith("-> "):
            link = content.removeprefix("-> ").encode()
            made.add(Entry(path, Member(name, header.SYMLINK, 0o777, 0, 0, 0, 0, link)))
        else:
            raw = content.encode()
            start = len(data)
            data += raw
            member = Member(
                name, header.REGULAR, mode, 0, 0, len(raw), 0, start=start, stored=len(raw)
            )
            made.add(Entry(path, member, hashlib.sha256(raw).digest()))
    made.data = bytes(data)
    return made


def drafted(draft: LayerDraft) -> bytes:
    """The layer's archive."""
    pieces: list[bytes] = []
    draft.write(lambda piece: pieces.append(bytes(piece)))
    return b"".join(pieces)


def listed(archive: bytes) -> dict[str, str]:
    """Each member by name, with what a person would say about it."""
    return {
        member.name.decode(errors="surrogateescape"): _said(member, archive)
        for member in members(archive)
    }


def _said(member: Member, archive: bytes) -> str:
    owner = f" {member.uid}:{member.gid}" if (member.uid, member.gid) != (0, 0) else ""
    match member.kind:
        case header.DIRECTORY:
            return f"dir {member.mode:o}{owner}"
        case header.SYMLINK | header.HARD_LINK:
            arrow = "->" if member.kind == header.SYMLINK else "=="
            return f"{arrow} {member.link.decode()}{owner}"
        case header.REGULAR:
            content = archive[member.start : member.start + member.stored].decode(errors="replace")
            return f"{content} {member.mode:o}{owner}"
    return f"kind {member.kind!r}"


def tar(files: Mapping[str, str | tarfile.TarInfo | None], **fields: int) -> bytes:
    """A tar as a client would send it."""
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for name, content in files.items():
            if isinstance(content, tarfile.TarInfo):
                archive.addfile(content)
                continue
            info = tarfile.TarInfo(name)
            info.mtime = 1_700_000_000
            info.mode = 0o755 if content is None else 0o644
            info.type = tarfile.DIRTYPE if content is None else tarfile.REGTYPE
            for field, value in fields.items():
                setattr(info, field, value)
            body = (content or "").encode()
            info.size = len(body)
            archive.addfile(info, io.BytesIO(body))
    return raw.getvalue()


def spooled(folder: Path, archive: bytes, chunk: int = 1000) -> SpooledArchive:
    """The archive received in chunks, as it would come over the wire."""
    pieces = iter([archive[n : n + chunk] for n in range(0, len(archive), chunk)])
    received = SpooledArchive(folder / "context.tar")
    received.receive(lambda: next(pieces, b""))
    return received
