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

    def listed(self, path: str) -> list[Entry]:  # noqa: ARG002
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
        self._new: set[str] = set()  # real paths of directories that the base does not have
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
        if member.mtime_ns >= self.newest_ns + _SECOND_NS:
            self.newest_ns = member.mtime_ns // _SECOND_NS * _SECOND_NS
        if entry.is_directory:
            real = self._real_directory(path)
        else:
            parent, _, name = path.rpartition("/")
            folder = self._directory(parent)
            real = f"{folder}/{name}" if folder else name
            self._refuse_directory(folder, real)
        if real:
            self._drafted[real] = _Drafted(self._dated(member), entry, tree)
        if entry.is_directory:
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
        if real in self._drafted:
            return real  # and so are those above it
        if real:
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
        there = self._there(folder, real)
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
        if there is None:
            self._new.add(real)
        return real

    def _there(self, folder: str, path: str) -> Entry | None:
        """What the base has at a real path; it is not asked for what can only be missing."""
        return None if folder in self._new else self._base.entry(path)

    def _refuse_directory(self, folder: str, real: str) -> None:
        drafted = self._drafted.get(real)
        there = drafted.entry if drafted else self._there(folder, real)
        if there is not None and there.is_directory:
            raise InvalidArgument(f"cannot overwrite directory /{real} with a file")

    def _dated(self, member: Member) -> Member:
        if self._latest_ns is None or member.mtime_ns <= self._latest_ns:
            return member
        return member._replace(mtime_ns=self._latest_ns)

    # Bytes

    def write(self, sink: Callable[[bytes | memoryview], None]) -> list[Member]:
        """The archive, in pieces that do not change afterwards; returns its members."""
        written: list[Member] = []
        for piece in self.pieces(written):
            sink(piece)
        return written

    def pieces(self, written: list[Member] | None = None) -> Iterator[bytes | memoryview]:
        """The same, one after the other; small files are put together.

        written: takes the members, as a reader of the archive would find them.
        """
        pending = bytearray()
        passed = 0  # bytes before those that are pending
        first_name: dict[tuple[int, object], bytes] = {}
        for path in sorted(self._drafted, key=_in_order):
            name = path.encode(errors="surrogateescape")
            member, entry, tree = self._drafted[path]
            if member.kind == header.DIRECTORY:
                name += b"/"
            elif (known := _said_before(name, entry, tree, first_name)) is not None:
                member = _as_link(member, known)
            pending += formatted(member, name)
            if written is not None:
                written.append(_as_read(member, name, passed + len(pending)))
            if member.size and tree is not None:
                if member.size >= _LARGE_BYTES:
                    passed += len(pending) + member.size
                    yield memoryview(pending)
                    pending = bytearray()
                    yield from tree.read(entry)
                else:
                    for piece in tree.read(entry):
                        pending += piece
                pending += bytes(padding(member.size))
            if len(pending) >= _FLUSH_BYTES:
                passed += len(pending)
                yield memoryview(pending)
                pending = bytearray()
        pending += END
        yield memoryview(pending)


def _as_read(member: Member, name: bytes, start: int) -> Member:
    """A member as it comes out of the archive: in whole seconds, with its place."""
    _, kind, mode, uid, gid, size, mtime_ns, link, major, minor, xattrs, *_ = member
    mtime_ns = max(mtime_ns // _SECOND_NS, 0) * _SECOND_NS
    return Member(
        name, kind, mode, uid, gid, size, mtime_ns, link, major, minor, xattrs, start, size
    )


def _said_before(
    name: bytes, entry: Entry, tree: Tree | None, first_name: dict[tuple[int, object], bytes]
) -> bytes | None:
    """The name under which the archive has the same file already; it has it by this one, if not."""
    if entry.same is None:
        return None
    known = first_name.setdefault((id(tree), entry.same), name)
    return None if known is name else known


def _in_order(path: str) -> str:
    """Keeps together what is in one directory: a slash comes before all that names may hold."""
    return path.replace("/", "\0")


def _as_link(member: Member, target: bytes) -> Member:
    return member._replace(kind=header.HARD_LINK, link=target, size=0, stored=0, xattrs={})


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
