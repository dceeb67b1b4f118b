"""A layer before it is bytes: what goes where on top of a base, then one deterministic archive.

Directories come before what is in them, names in order, times in whole seconds, owners as numbers:
the same entries give the same bytes on every machine. Nothing is written to be read again.
"""

from collections.abc import Callable, Iterator
from typing import Final, NamedTuple

from knarr.build.tree import Entry, Tree, implied_directory, resolve
from knarr.errors import InvalidArgument
from knarr.snapshot.tar import END, Member, formatted, header, padding

_FLUSH_BYTES: Final = 1 << 20
_SECOND_NS: Final = 1_000_000_000
_LARGE_BYTES: Final = 256 << 10  # content from here on is handed through in its own pieces


class _Drafted(NamedTuple):
    member: Member
    entry: Entry
    tree: Tree | None  # whose entry it is; None for a directory that is made up


class EmptyTree:
    """What a layer that stands on nothing stands on."""

    def entry(self, path: str) -> Entry | None:
        return None if path else implied_directory("")

    def names(self, path: str) -> list[str]:  # noqa: ARG002
        return []

    def read(self, entry: Entry) -> Iterator[bytes]:  # noqa: ARG002
        return iter(())


class LayerDraft:
    """Collects entries; ``write`` makes the archive.

    follow: symbolic links among the base's directories are followed.
    owner: of directories that have to be made on the way.
    latest_ns: no time in the layer is later (SOURCE_DATE_EPOCH), None for no limit.
    made_ns: the time of what the operation itself makes.
    """

    def __init__(
        self,
        base: Tree,
        *,
        follow: bool = True,
        owner: tuple[int, int] = (0, 0),
        latest_ns: int | None = None,
        made_ns: int = 0,
    ) -> None:
        self._base = base
        self._follow = follow
        self._owner = owner
        self._latest_ns = latest_ns
        self._made_ns = made_ns
        self._drafted: dict[str, _Drafted] = {}
        self._real: dict[str, str] = {"": ""}
        self.newest_ns = 0  # of all that came from a source, in whole seconds as in the archive

    def __len__(self) -> int:
        return len(self._drafted)

    def make_directories(self, path: str, mode: int = 0o755) -> bool:
        """The directory and those above it, where the base lacks them. True if any was made."""
        missing = False
        parts = path.split("/")
        for depth in range(1, len(parts) + 1):
            real = self._directory("/".join(parts[:depth]), mode)
            missing = missing or self._drafted[real].tree is None
        return missing

    def put(self, path: str, tree: Tree, entry: Entry, member: Member) -> None:
        """Place a source's entry; ``member`` has its new mode and owner.

        A directory that the base has gets the new mode and owner, too.
        Raises InvalidArgument where a file stands in the way of a directory or the reverse.
        """
        self.newest_ns = max(self.newest_ns, member.mtime_ns // _SECOND_NS * _SECOND_NS)
        if entry.is_directory:
            real = self._real_directory(path)
        else:
            parent, _, name = path.rpartition("/")
            folder = self._directory(parent)
            real = f"{folder}/{name}" if folder else name
            self._refuse_directory(real)
        if real:
            self._drafted[real] = _Drafted(self._dated(member), entry, tree)
        self._parents(real)

    def keep(self, path: str) -> bool:
        """A directory as the base has it; False if the base has none."""
        entry = resolve(self._base, path) if self._follow else self._base.entry(path)
        if entry is None or not entry.is_directory:
            return False
        self._directory(path)
        return True

    # Directories

    def _directory(self, path: str, mode: int = 0o755) -> str:
        """The directory's real path; drafted as the base has it, or made up."""
        real = self._real_directory(path)
        if real and real not in self._drafted:
            there = self._base.entry(real)
            if there is not None:
                self._drafted[real] = _Drafted(there.member, there, self._base)
            else:
                self._drafted[real] = self._made_up(real, mode)
        self._parents(real)
        return real

    def _made_up(self, path: str, mode: int) -> _Drafted:
        entry = implied_directory(path, self._made_ns)
        uid, gid = self._owner
        member = entry.member._replace(mode=mode, uid=uid, gid=gid)
        return _Drafted(self._dated(member), entry, None)

    def _parents(self, real: str) -> None:
        parent = real.rpartition("/")[0]
        if parent and parent not in self._drafted:
            self._directory(parent)

    def _real_directory(self, path: str) -> str:
        """Where ``path`` leads through the base's links. Raises InvalidArgument for a file."""
        known = self._real.get(path)
        if known is not None:
            return known
        parent, _, name = path.rpartition("/")
        folder = self._real_directory(parent)
        real = f"{folder}/{name}" if folder else name
        there = self._base.entry(real)
        if there is not None and there.is_symlink and self._follow:
            found = resolve(self._base, real)
            real = found.path if found else _dangling(self._base, real)
            there = found
        drafted = self._drafted.get(real)
        if drafted is not None and not drafted.entry.is_directory:
            raise InvalidArgument(f"cannot copy to non-directory: /{path}")
        if drafted is None and there is not None and not there.is_directory:
            raise InvalidArgument(f"cannot copy to non-directory: /{path}")
        self._real[path] = real
        return real

    def _refuse_directory(self, real: str) -> None:
        drafted = self._drafted.get(real)
        there = drafted.entry if drafted else self._base.entry(real)
        if there is not None and there.is_directory:
            raise InvalidArgument(f"cannot overwrite directory /{real} with a file")

    def _dated(self, member: Member) -> Member:
        if self._latest_ns is None or member.mtime_ns <= self._latest_ns:
            return member
        return member._replace(mtime_ns=self._latest_ns)

    # Bytes

    def write(self, sink: Callable[[bytes | memoryview], None]) -> None:
        """The archive, in pieces that do not change afterwards."""
        for piece in self.pieces():
            sink(piece)

    def pieces(self) -> Iterator[bytes | memoryview]:
        """The same, one after the other; small files are put together."""
        pending = bytearray()
        first_name: dict[tuple[int, object], bytes] = {}
        for path in sorted(self._drafted, key=_in_order):
            member, content = self._member(path, first_name)
            pending += formatted(member)
            if content is not None:
                tree, entry = content
                if member.size >= _LARGE_BYTES:
                    yield memoryview(pending)
                    pending = bytearray()
                    yield from tree.read(entry)
                else:
                    for piece in tree.read(entry):
                        pending += piece
                pending += bytes(padding(member.size))
            if len(pending) >= _FLUSH_BYTES:
                yield memoryview(pending)
                pending = bytearray()
        pending += END
        yield memoryview(pending)

    def _member(
        self, path: str, first_name: dict[tuple[int, object], bytes]
    ) -> tuple[Member, tuple[Tree, Entry] | None]:
        """An entry's header, and where its content comes from if it has any."""
        member, entry, tree = self._drafted[path]
        name = path.encode(errors="surrogateescape")
        if entry.is_directory:
            return member._replace(name=name + b"/"), None
        if entry.same is not None:
            known = first_name.setdefault((id(tree), entry.same), name)
            if known is not name:
                return _as_link(member, name, known), None
        member = member._replace(name=name)
        if member.kind != header.REGULAR or tree is None:
            return member, None
        return member, (tree, entry)


def _in_order(path: str) -> str:
    """Keeps together what is in one directory: a slash comes before all that names may hold."""
    return path.replace("/", "\0")


def _as_link(member: Member, name: bytes, target: bytes) -> Member:
    return member._replace(
        name=name, kind=header.HARD_LINK, link=target, size=0, stored=0, xattrs={}
    )


def _dangling(base: Tree, path: str) -> str:
    """Where a link that leads nowhere leads: there a directory will be made."""
    entry = base.entry(path)
    target = entry.member.link.decode(errors="surrogateescape") if entry else ""
    folder = "" if target.startswith("/") else path.rpartition("/")[0]
    parts = [part for part in f"{folder}/{target}".split("/") if part not in {"", "."}]
    kept: list[str] = []
    for part in parts:
        if part == "..":
            kept = kept[:-1]
        else:
            kept.append(part)
    return "/".join(kept)
