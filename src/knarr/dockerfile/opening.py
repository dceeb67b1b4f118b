"""A build's context, from wherever the client says it is, and the Dockerfile in it."""

import asyncio
import posixpath
import shutil
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from knarr.build.context import SpooledArchive
from knarr.build.folder import FolderContext
from knarr.build.foldertable import folder_table
from knarr.build.graph import Vertex
from knarr.build.ops import Context, Http
from knarr.build.sources import Sources
from knarr.build.tree import ArchiveTree, Entry, FolderTree, Tree, resolve
from knarr.dockerfile.plan import NamedContext
from knarr.dockerfile.remote import file_name_of, is_http, parse_git
from knarr.dockerfile.request import BuildRequest, FolderPlace
from knarr.errors import Conflict, InvalidArgument, NotFound
from knarr.http.feed import Feed
from knarr.ids import new_hex
from knarr.patterns import IgnoreRules
from knarr.snapshot.tar import header

_EXTRAS: Final = ".knarr-build"
_SECRETS: Final = f"{_EXTRAS}/secrets"
_FILE_MAX: Final = 4 << 20  # bytes of a Dockerfile or an ignore file
_LOWER: Final = "dockerfile"  # tried where there is no Dockerfile


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """What a build begins with. trees: by name, ``context`` being the build context."""

    text: str
    name: str
    trees: Mapping[str, Tree]
    ignore: IgnoreRules | None = None
    secrets: Mapping[str, bytes] = field(default_factory=dict, repr=False)
    contexts: Mapping[str, NamedContext] = field(default_factory=dict)


class Opener:
    """Opens contexts; what they take is given back with the exit stack."""

    def __init__(self, data_root: Path, scratch: Path, sources: Sources) -> None:
        self._data_root = data_root
        self._scratch = scratch
        self._sources = sources

    async def open(
        self, request: BuildRequest, body: AsyncIterator[bytes], undo: AsyncExitStack
    ) -> Opened:
        """Raises InvalidArgument, NotFound in the classic builder's words."""
        if request.folder is not None:
            return await self._folder(request, request.folder, body, undo)
        if request.remote and request.remote != "client-session":
            return await self._remote(request, body, undo)
        return await self._archive(request, body, undo)

    async def _archive(
        self, request: BuildRequest, body: AsyncIterator[bytes], undo: AsyncExitStack
    ) -> Opened:
        aside = _SECRETS if request.extras else ""
        archive = undo.enter_context(SpooledArchive(self._place(), aside))
        await received(archive, body)
        tree = archive.tree
        trees = _split(tree) if request.extras else {}
        text, name, rules = _read(tree, request)
        for each in trees.values():
            if (own := _ignore_rules(each, "")) is not None:
                each.hide(own)
        if rules is not None:
            tree.hide(rules)
        return Opened(
            text=text,
            name=name,
            trees={**trees, "context": tree},
            ignore=rules,
            secrets=archive.aside,
            contexts=_named(request, trees),
        )

    async def _folder(
        self,
        request: BuildRequest,
        place: FolderPlace,
        body: AsyncIterator[bytes],
        undo: AsyncExitStack,
    ) -> Opened:
        """A directory that both can see. The archive that comes with it has only the extras."""
        path = Path(place.path)
        folder = FolderContext(path, None, folder_table(self._data_root, path))
        undo.callback(folder.close)
        if not folder.is_at(place.device, place.inode):
            raise Conflict(f"{path} is another directory for the engine than for its client")
        archive = undo.enter_context(SpooledArchive(self._place(), _SECRETS))
        await received(archive, body)
        trees = _split(archive.tree)
        given = resolve(archive.tree, request.dockerfile)  # a Dockerfile from elsewhere
        text, name = _dockerfile(archive.tree if given else folder, request.dockerfile)
        rules = _ignore_rules(archive.tree, name) or _ignore_rules(folder, name)
        if rules is not None:
            folder.hide(rules)
        return Opened(
            text=text,
            name=name,
            trees={**trees, "context": folder},
            ignore=rules,
            secrets=archive.aside,
            contexts=_named(request, trees),
        )

    async def _remote(
        self, request: BuildRequest, body: AsyncIterator[bytes], undo: AsyncExitStack
    ) -> Opened:
        """A repository, an archive on the web, or a Dockerfile on the web; extras come as ever."""
        beside = undo.enter_context(SpooledArchive(self._place(), _SECRETS))
        if request.extras:
            await received(beside, body)
        trees = _split(beside.tree)
        secrets, contexts = beside.aside, _named(request, trees)
        git = parse_git(request.remote)
        if git is not None:
            checkout = self._scratch / f"context-{new_hex()}"
            undo.push_async_callback(asyncio.to_thread, _remove, checkout)
            files = await self._sources.git(git, checkout, {})
            tree = files.tree
        elif is_http(request.remote):
            name = file_name_of(request.remote) or "download"
            files = await self._sources.http(Http(url=request.remote, file_name=name), {})
            entry = files.tree.entry(name)
            if entry is None:
                raise NotFound(f"{request.remote}: not found")
            archive = await self._unpacked(files.tree, entry, undo)
            if archive is None:
                text = b"".join(files.tree.read(entry)).decode(errors="replace")
                empty = ArchiveTree(b"")
                return Opened(
                    text=text,
                    name=name,
                    trees={**trees, "context": empty},
                    secrets=secrets,
                    contexts=contexts,
                )
            tree = archive.tree
        else:
            raise InvalidArgument(f"unable to prepare context: {request.remote} is no URL")
        if isinstance(tree, FolderTree):
            undo.callback(tree.close)
        given = resolve(beside.tree, request.dockerfile)  # a Dockerfile from elsewhere
        text, name = _dockerfile(beside.tree if given else tree, request.dockerfile)
        return Opened(
            text=text,
            name=name,
            trees={**trees, "context": tree},
            secrets=secrets,
            contexts=contexts,
        )

    async def _unpacked(
        self, tree: Tree, entry: Entry, undo: AsyncExitStack
    ) -> SpooledArchive | None:
        """The archive that a download is; None for a file of another kind."""
        archive = undo.enter_context(SpooledArchive(self._place()))
        pieces = (bytes(piece) for piece in tree.read(entry))
        try:
            await asyncio.to_thread(archive.receive, lambda: next(pieces, b""))
        except InvalidArgument:
            return None
        return archive

    def _place(self) -> Path:
        return self._scratch / f"context-{new_hex()}.tar"


async def received(archive: SpooledArchive, body: AsyncIterator[bytes]) -> None:
    """The whole body, in a thread, while it arrives."""
    feed = Feed()
    pumping = asyncio.ensure_future(feed.pump(body))
    try:
        await asyncio.to_thread(archive.receive, feed.read)
        await pumping
    except BaseException:
        feed.stop()
        pumping.cancel()
        await asyncio.wait([pumping])
        raise


def _split(tree: ArchiveTree) -> dict[str, ArchiveTree]:
    """The named contexts that came along."""
    folder = f"{_EXTRAS}/contexts"
    trees = {name: tree.split(f"{folder}/{name}") for name in tree.names(folder)}
    tree.remove(_EXTRAS)
    return trees


def _named(request: BuildRequest, trees: Mapping[str, Tree]) -> dict[str, NamedContext]:
    contexts = {name: NamedContext(vertex=Vertex(Context(name=name))) for name in trees}
    return {**contexts, **{name.lower(): _elsewhere(v) for name, v in request.contexts.items()}}


def _elsewhere(value: str) -> NamedContext:
    """An image, a repository, or a file on the web. Raises InvalidArgument for what is none."""
    scheme, separator, place = value.partition("://")
    if separator and scheme in {"docker-image", "engine-image"}:
        return NamedContext(reference=place, here=scheme == "engine-image")
    if (git := parse_git(value)) is not None:
        return NamedContext(vertex=Vertex(git))
    if is_http(value):
        name = file_name_of(value) or "download"
        return NamedContext(vertex=Vertex(Http(url=value, file_name=name)))
    raise InvalidArgument(f"unsupported context source {value}")


def _read(tree: Tree, request: BuildRequest) -> tuple[str, str, IgnoreRules | None]:
    """The Dockerfile, its name, and what it leaves out of the context."""
    if (given := request.given) is not None:
        rules = None if given.ignore is None else IgnoreRules.parse(given.ignore)
        return given.text, given.name, rules
    text, name = _dockerfile(tree, request.dockerfile)
    return text, name, _ignore_rules(tree, name)


def _dockerfile(tree: Tree, asked: str) -> tuple[str, str]:
    """Its text, and the path at which it was found."""
    path = posixpath.normpath(asked.lstrip("/"))
    if path.startswith("../") or path == "..":
        raise InvalidArgument(f"forbidden path outside the build context: {asked}")
    for name in (path, _LOWER) if path == "Dockerfile" else (path,):
        text = _text(tree, name)
        if text is not None:
            return text, name
    there = ", ".join(tree.names(posixpath.dirname(path))[:10])
    hint = f" (there: {there})" if there else " (the context is empty)"
    raise InvalidArgument(f"Cannot locate specified Dockerfile: {asked}{hint}")


def _ignore_rules(tree: Tree, dockerfile: str) -> IgnoreRules | None:
    """Those of this Dockerfile, else those of the context; None where there are none."""
    names = (f"{dockerfile}.dockerignore", ".dockerignore") if dockerfile else (".dockerignore",)
    for name in names:
        text = _text(tree, name)
        if text is not None:
            return IgnoreRules.parse(text)
    return None


def _text(tree: Tree, path: str) -> str | None:
    entry = resolve(tree, path)
    if entry is None or entry.member.kind != header.REGULAR:
        return None
    if entry.member.size > _FILE_MAX:
        raise InvalidArgument(
            f"{path} is too large: it has {entry.member.size:,} bytes, and a Dockerfile or an"
            f" ignore file at most {_FILE_MAX:,}"
        )
    return b"".join(tree.read(entry)).decode(errors="replace")


def _remove(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
