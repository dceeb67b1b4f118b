"""Where a result goes: names here, a registry, or the client as files or an archive."""

import asyncio
import posixpath
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Final

from knarr.build.context import SpooledArchive
from knarr.build.tree import ArchiveTree, Entry
from knarr.buildkit import grpc
from knarr.buildkit.attributes import Output
from knarr.buildkit.files import DATA, DIRECTORY, ERROR, FIN, REQUEST, STAT, SYMLINK
from knarr.buildkit.frontend import Failed, logins
from knarr.buildkit.jobs import Job
from knarr.buildkit.messages import Bytes, Packet, Stat
from knarr.buildkit.progress import Operation
from knarr.buildkit.sessions import Session
from knarr.dockerfile.opening import received
from knarr.dockerfile.service import BuildService
from knarr.errors import InvalidArgument, Unsupported
from knarr.ids import new_hex
from knarr.image import Exchange, ImageService
from knarr.reference import Reference
from knarr.registry import Logins
from knarr.snapshot.tar import header

_SEND: Final = "/moby.filesync.v1.FileSend/DiffCopy"
_PIECE: Final = 32 * 1024


class Outputs:
    """One for the daemon. ``folder`` holds what is on its way to a client."""

    def __init__(
        self, builds: BuildService, images: ImageService, exchange: Exchange, folder: Path
    ) -> None:
        self._builds = builds
        self._images = images
        self._exchange = exchange
        self._folder = folder

    async def give_out(self, job: Job, session: Session) -> dict[str, str]:
        """To everywhere that the client wants it; what is told to the client about it."""
        image, names = job.image, job.names
        for number, each in enumerate(job.outputs):
            if each.type == "image":
                await self._named(job, session, each)
            else:
                with job.display.operation(_TITLES[each.type]) as told:
                    await self._sent(image, session, each, number, told)
        said = {"containerimage.digest": image, "containerimage.config.digest": image}
        if names:
            said["image.name"] = ",".join(str(Reference.parse(each).tagged()) for each in names)
        return said

    async def _named(self, job: Job, session: Session, wanted: Output) -> None:
        with job.display.operation("exporting to image") as told:
            told.state("exporting layers")
            told.state(f"writing image {job.image}")
            for name in wanted.names:
                told.state(f"naming to {Reference.parse(name).tagged()}")
        for name in wanted.names if wanted.push else ():
            reference = Reference.parse(name).tagged()
            with job.display.operation(f"pushing {reference.familiar}") as told:
                known = await logins(session, [reference.domain])
                async for line in self._exchange.push(reference, Logins(by_server=known)):
                    if line.error:
                        raise Failed(line.error)
                    if line.id and line.status:
                        detail = line.progress_detail
                        current, total = (detail.current, detail.total) if detail else (0, 0)
                        name_of = f"{line.status.lower()} {line.id}"
                        told.state(name_of, current, total, over=current >= total)

    async def _sent(
        self, image: str, session: Session, wanted: Output, number: int, told: Operation
    ) -> None:
        if not session.has(_SEND):
            raise Unsupported(f"the client's session takes no files of type {wanted.type}")
        if wanted.type == "local":
            await self._files(image, session, number, told)
            return
        if wanted.type == "tar":
            pieces = await self._builds.files(image)
        else:
            with_names = [str(Reference.parse(each).tagged()) for each in wanted.names]
            for name in with_names:
                self._images.tag(image, name)
            pieces = self._images.save(with_names or [image])
        await _archive(session, pieces, number, told)

    async def _files(self, image: str, session: Session, number: int, told: Operation) -> None:
        """The file system, as the client asks for it: in any order, so it is spooled before."""
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with SpooledArchive(self._folder / f"files-{new_hex()}.tar") as spooled:
            await received(spooled, await self._builds.files(image))
            async with session.call(_SEND, _metadata(number)) as call:
                await _diff_copy(call, spooled.tree, told)


def _metadata(number: int) -> list[tuple[str, str]]:
    return [("buildkit-attachable-exporter-id", str(number))]


async def _archive(
    session: Session, pieces: AsyncIterator[bytes], number: int, told: Operation
) -> None:
    sent = 0
    async with session.call(_SEND, _metadata(number)) as call:
        async for piece in pieces:
            for start in range(0, len(piece), _PIECE):
                await call.send(Bytes(data=piece[start : start + _PIECE]))
            sent += len(piece)
            told.state("sending tarball", sent, over=False)
        await call.stream.end()
        await grpc.finished(call)
    told.state("sending tarball", sent)


async def _diff_copy(call: grpc.Call, tree: ArchiveTree, told: Operation) -> None:
    """The sending end of fsutil: the listing at once, contents when they are asked for."""
    paths = sorted((path for path in tree.entries if path), key=_order)
    entries = [each for path in paths if (each := tree.entries[path]).member.kind in _SENT]
    listing = asyncio.ensure_future(_list(call, entries))
    sent = 0
    try:
        while (packet := await call.receive(Packet)) is not None:
            if packet.type == ERROR:
                raise Failed(f"the client could not take a file: {packet.data.decode()}")
            if packet.type == FIN:
                await listing
                await call.send(Packet(type=FIN))
                await call.stream.end()
                break
            if packet.type == REQUEST:
                sent += await _content(call, tree, _asked(entries, packet.id), packet.id)
                told.state("copying files", sent, over=False)
        await grpc.finished(call)
    finally:
        listing.cancel()
        await asyncio.gather(listing, return_exceptions=True)
    told.state("copying files", sent)


def _asked(entries: list[Entry], number: int) -> Entry:
    if not 0 <= number < len(entries) or entries[number].member.kind != header.REGULAR:
        raise InvalidArgument(f"invalid file id {number}")
    return entries[number]


def _order(path: str) -> list[str]:
    """A directory before what is in it, and that before its neighbours."""
    return path.split("/")


async def _list(call: grpc.Call, entries: list[Entry]) -> None:
    firsts: dict[object, str] = {}
    for entry in entries:
        first = firsts.setdefault(entry.same, entry.path) if entry.same is not None else entry.path
        link = first if first != entry.path else ""
        await call.send(Packet(type=STAT, stat=_stat(entry, link)))
    await call.send(Packet(type=STAT))


async def _content(call: grpc.Call, tree: ArchiveTree, entry: Entry, number: int) -> int:
    for piece in tree.read(entry):
        for start in range(0, len(piece), _PIECE):
            data = bytes(piece[start : start + _PIECE])
            await call.send(Packet(type=DATA, id=number, data=data))
    await call.send(Packet(type=DATA, id=number))
    return entry.member.size


def _stat(entry: Entry, first: str) -> Stat:
    member = entry.member
    kinds = {header.DIRECTORY: DIRECTORY, header.SYMLINK: SYMLINK}
    special = {0o4000: 1 << 23, 0o2000: 1 << 22, 0o1000: 1 << 20}
    mode = member.mode & 0o777 | kinds.get(member.kind, 0)
    for bit, go in special.items():
        mode |= go if member.mode & bit else 0
    link = member.link.decode(errors="surrogateescape") if entry.is_symlink else first
    return Stat(
        path=posixpath.normpath(entry.path), mode=mode, uid=member.uid, gid=member.gid,
        size=member.size, mtime_ns=member.mtime_ns, link=link,
    )  # fmt: skip


_SENT: Final = frozenset({header.REGULAR, header.DIRECTORY, header.SYMLINK})
_TITLES: Final = {
    "local": "exporting to client directory", "tar": "exporting to client tarball",
    "docker": "exporting to docker image format", "oci": "exporting to oci image format",
}  # fmt: skip
