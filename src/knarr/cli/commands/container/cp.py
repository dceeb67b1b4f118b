import base64
import os
import posixpath
import stat
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from knarr.cli.attached import STDOUT_FD, write_all
from knarr.cli.cli import Cli
from knarr.cli.command import Annotated, Flag, command
from knarr.cli.copying.pack import packed
from knarr.cli.copying.plan import Place, Target, asserts_folder, landing, wants_content
from knarr.cli.copying.unpack import unpack
from knarr.cli.sources import file_pieces
from knarr.client.calls import containers
from knarr.client.lean import Any, loads
from knarr.errors import InvalidArgument, KnarrError, NotFound
from knarr.units import human_size

GO_FOLDER, GO_LINK = 1 << 31, 1 << 27  # bits of a Go file mode


@command("container cp", usage="CONTAINER:SRC_PATH DEST_PATH|-\nSRC_PATH|- CONTAINER:DEST_PATH")
def cp(
    cli: Cli,
    source: str,
    destination: str,
    *,
    archive: Annotated[bool, Flag("Keep user and group of each file", short="-a")] = False,
    follow_link: Annotated[
        bool, Flag("Copy what a link at the source points to", short="-L")
    ] = False,
    quiet: Annotated[bool, Flag("Do not say how much was copied", short="-q")] = False,
) -> None:
    """Copy files between a container and here

    Use '-' as the source to read a tar archive from standard input and unpack it in a folder of
    the container. Use '-' as the destination to write a tar archive to standard output.
    """
    start, end = Place.parse(source), Place.parse(destination)
    if start.container and end.container:
        raise InvalidArgument("copying between containers is not supported")
    if not start.container and not end.container:
        raise InvalidArgument("must specify at least one container source")
    if start.container:
        size = _out(cli, start, end.path, follow=follow_link, keep_owners=archive)
        shown = end.path
    else:
        size = _in(cli, start.path, end, follow=follow_link, keep_owners=archive)
        shown = destination
    if not quiet and size is not None and cli.err.isatty():
        cli.warn(f"Successfully copied {human_size(size)} to {shown}")


@dataclass(frozen=True, slots=True, kw_only=True)
class PathStat:
    """What the engine says of a path in a container."""

    mode: int
    link_target: str

    @property
    def is_folder(self) -> bool:
        return bool(self.mode & GO_FOLDER)

    @property
    def is_link(self) -> bool:
        return bool(self.mode & GO_LINK)


def _stat(cli: Cli, container: str, path: str) -> PathStat:
    with cli.engine.open(containers.stat_path(container, path)) as answer:
        header = answer.head.headers.get("x-docker-container-path-stat", "")
    found: dict[str, Any] = loads(base64.b64decode(header))
    return PathStat(mode=found.get("mode", 0), link_target=found.get("linkTarget", ""))


def _resolved(cli: Cli, container: str, path: str) -> str:
    """The path that a link at the end of ``path`` points to, with its trailing slash or dot."""
    try:
        found = _stat(cli, container, path)
    except KnarrError:
        return path
    if not found.is_link:
        return path
    target = posixpath.join(posixpath.dirname(path.rstrip("/")), found.link_target)
    if wants_content(path):
        return target + "/."
    return target + "/" if path.endswith("/") else target


def _out(cli: Cli, start: Place, end: str, *, follow: bool, keep_owners: bool) -> int | None:
    """From the container to here. Answers with the bytes of files, None for an archive."""
    path = start.path if start.path.startswith("/") else f"/{start.path}" if start.path else ""
    if follow:
        path = _resolved(cli, start.container, path)
    request = containers.get_archive(start.container, path)
    if end == "-":
        cli.out.flush()
        for piece in cli.engine.pieces(request):
            write_all(STDOUT_FD, piece)
        return None
    parent = os.path.dirname(os.path.abspath(end))
    if not os.path.isdir(parent):
        raise InvalidArgument(f'invalid output path: directory "{parent}" does not exist')
    with cli.engine.open(request) as answer:
        header = answer.head.headers.get("x-docker-container-path-stat", "")
        mode = loads(base64.b64decode(header)).get("mode", 0) if header else 0
        is_folder = bool(mode & GO_FOLDER)
        target = Target(path=end, exists=os.path.exists(end), is_folder=os.path.isdir(end))
        place = landing(is_folder, target)
        name = place.name
        if follow and name is None and path != start.path:
            name = posixpath.basename(start.path)
        return unpack(
            answer.pieces(), place.folder, name,
            content=wants_content(path), keep_owners=keep_owners,
        )  # fmt: skip


def _in(cli: Cli, source: str, end: Place, *, follow: bool, keep_owners: bool) -> int:
    """From here into the container. Answers with the bytes sent."""
    path = end.path if end.path.startswith("/") else f"/{end.path}"
    target = _target(cli, end.container, path)
    if source == "-":
        if not target.is_folder:
            raise InvalidArgument(f'destination "{end.container}:{end.path}" must be a directory')
        counted = Counted(file_pieces("-"))
        folder = target.path
    else:
        if follow and os.path.islink(source.rstrip("/")):
            resolved, name = os.path.realpath(source), os.path.basename(source.rstrip("/"))
        else:
            resolved, name = source, ""
        try:
            entry = os.stat(resolved) if asserts_folder(resolved) else os.lstat(resolved)
        except OSError as error:
            raise NotFound(
                f"lstat {os.path.abspath(resolved)}: {(error.strerror or '').lower()}"
            ) from error
        place = landing(stat.S_ISDIR(entry.st_mode), target)
        folder = place.folder
        counted = Counted(packed(_content_of(resolved), place.name or name or None))
    request = containers.put_archive(
        end.container, folder, counted, keep_types=True, copy_ids=keep_owners
    )
    cli.engine.ask(request)
    return counted.size_bytes


def _content_of(path: str) -> str:
    """A link to a folder with a slash at its end means the folder, under the link's name."""
    if path.endswith("/") and os.path.islink(path.rstrip("/")):
        return os.path.realpath(path)
    return path


def _target(cli: Cli, container: str, path: str) -> Target:
    """What is at the destination; where nothing is, unpacking tells what is wrong, if anything."""
    try:
        found = _stat(cli, container, path)
        if found.is_link:
            path = posixpath.join(posixpath.dirname(path.rstrip("/")), found.link_target)
            found = _stat(cli, container, path)
    except NotFound as error:
        if "No such container" in str(error):
            raise
        return Target(path=path)
    return Target(path=path, exists=True, is_folder=found.is_folder)


class Counted:
    """Pieces of bytes, counted as they go."""

    def __init__(self, pieces: Iterable[bytes]) -> None:
        self._pieces = pieces
        self.size_bytes = 0

    def __iter__(self) -> Iterator[bytes]:
        for piece in self._pieces:
            self.size_bytes += len(piece)
            yield piece
