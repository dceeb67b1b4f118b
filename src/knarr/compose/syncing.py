"""Files of the host, copied into running containers."""

import contextlib
import hashlib
import io
import os
import stat
import tarfile
import tempfile
from collections.abc import Iterable, Iterator
from typing import IO, Final

from knarr.client.calls import containers
from knarr.compose.engine import Engines
from knarr.compose.hooks import run_hook
from knarr.compose.watched import Copied, Rule
from knarr.errors import KnarrError, NotFound

_PIECE: Final = 256 * 1024
_SPOOLED: Final = 4 * 1024 * 1024  # bytes of an archive that are kept in memory


def copy(engines: Engines, container: str, files: Iterable[Copied]) -> None:
    """Bring files into a container, and take away those that are gone.

    Raises KnarrError where the container has no ``rm``, or cannot be written to.
    """
    files = list(files)
    gone = [each.target for each in files if not os.path.lexists(each.path)]
    if gone:
        try:
            run_hook(engines, container, {"command": ["rm", "-rf", *gone]}, _unseen)
        except KnarrError as error:
            raise KnarrError(f"deleting paths in {container[:12]}: {error}") from error
    with _archive(each for each in files if os.path.lexists(each.path)) as archive:
        if archive is not None:
            body = iter(lambda: archive.read(_PIECE), b"")
            engines.do(containers.put_archive(container, "/", body, copy_ids=True))


def _unseen(_: bytes) -> None:
    """``rm -rf`` has nothing to say."""


@contextlib.contextmanager
def _archive(files: Iterable[Copied]) -> Iterator[IO[bytes] | None]:
    """A tar of the files, each at its place; None where none of them is there any more."""
    with tempfile.SpooledTemporaryFile(_SPOOLED) as file:
        empty = True
        with tarfile.open(fileobj=file, mode="w", format=tarfile.PAX_FORMAT) as tar:
            for each in files:
                empty &= not _add(tar, each)
        file.seek(0)
        yield None if empty else file


def _add(tar: tarfile.TarFile, file: Copied) -> bool:
    """Whether it could be read. A file is read at once, so that its header tells its length."""
    try:
        found = os.lstat(file.path)
        member = tarfile.TarInfo(file.target.lstrip("/"))
        member.mode = stat.S_IMODE(found.st_mode)
        member.uid, member.gid = found.st_uid, found.st_gid
        member.mtime = found.st_mtime
        if stat.S_ISLNK(found.st_mode):
            member.type, member.linkname = tarfile.SYMTYPE, os.readlink(file.path)
        elif stat.S_ISDIR(found.st_mode):
            member.type = tarfile.DIRTYPE
        elif stat.S_ISREG(found.st_mode):
            with open(file.path, "rb") as opened:
                content = opened.read()
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
            return True
        else:
            return False
    except FileNotFoundError:
        return False  # it went while we looked
    tar.addfile(member)
    return True


def differing(engines: Engines, container: str, rule: Rule) -> list[Copied]:
    """Files of a rule that are other in the container, or not there. Compared by content."""
    wanted = [found for path in _files(rule) if (found := rule.about(path)) is not None]
    there = _digests(engines, container, rule.target)
    return [each for each in wanted if there.get(each.target) != _digest_of(each.path)]


def _files(rule: Rule) -> Iterator[str]:
    """What lies beneath a rule's path, folders aside."""
    if not os.path.isdir(rule.path):
        yield rule.path
        return
    for folder, folders, names in os.walk(rule.path):
        kept = [name for name in folders if not rule.skips(os.path.join(folder, name))]
        links = [name for name in kept if os.path.islink(os.path.join(folder, name))]
        folders[:] = sorted(set(kept) - set(links))
        yield from (os.path.join(folder, name) for name in sorted([*names, *links]))


def _digest_of(path: str) -> str:
    if os.path.islink(path):
        return f"-> {os.readlink(path)}"
    try:
        with open(path, "rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return ""


def _digests(engines: Engines, container: str, target: str) -> dict[str, str]:
    """By path, what the container has at a place and beneath it."""
    digests: dict[str, str] = {}
    above = os.path.dirname(target.rstrip("/")) or "/"
    try:
        with tempfile.TemporaryFile() as file:
            for piece in engines.pieces(containers.get_archive(container, target)):
                file.write(piece)
            file.seek(0)
            with tarfile.open(fileobj=file) as tar:
                for member in tar:
                    place = os.path.normpath(os.path.join(above, member.name))
                    digests[place] = _digest_in(tar, member)
    except NotFound:
        return {}
    return digests


def _digest_in(tar: tarfile.TarFile, member: tarfile.TarInfo) -> str:
    if member.issym():
        return f"-> {member.linkname}"
    opened = tar.extractfile(member) if member.isreg() else None
    return hashlib.sha256(opened.read()).hexdigest() if opened else ""
