"""Which users of a user namespace are which of the host's: values, and the kernel's form of them.

Named tuples, since the keeper has them too: importing dataclasses would cost it 1.3 MiB.
Source: user_namespaces(7), "User and group ID mappings".
"""

from collections.abc import Iterable
from typing import Final, NamedTuple

NOBODY: Final = 65534  # whom the kernel shows for a number that no span has
_ALL: Final = 0xFFFFFFFF


class Span(NamedTuple):
    """``size`` numbers from ``inside`` in the namespace are those from ``outside`` on the host."""

    inside: int
    outside: int
    size: int


class Owners(NamedTuple):
    """The users and groups of one user namespace."""

    uids: tuple[Span, ...]
    gids: tuple[Span, ...]

    @property
    def root(self) -> tuple[int, int]:
        """The namespace's root as the host numbers it: user and group."""
        return self.outside(0, 0)

    def inside(self, uid: int, gid: int) -> tuple[int, int]:
        """An owner on the host, as the namespace sees him; nobody for one that it has not."""
        return _inside(self.uids, uid), _inside(self.gids, gid)

    def outside(self, uid: int, gid: int) -> tuple[int, int]:
        """An owner in the namespace, as the host sees him. Raises ValueError for one beyond it."""
        return _outside(self.uids, uid), _outside(self.gids, gid)

    def for_mounts(self) -> "Owners":
        """The same with the host's root put behind the last number.

        For id-mapped mounts: overlayfs makes its own files as the one who mounted it.
        """
        return Owners((*self.uids, _host_root(self.uids)), (*self.gids, _host_root(self.gids)))


def map_text(spans: Iterable[Span]) -> str:
    """As /proc/PID/uid_map takes it: at most 340 lines, written at once."""
    return "".join(f"{span.inside} {span.outside} {span.size}\n" for span in spans)


def read_owners(pid: int) -> Owners | None:
    """Those of a process; None where its numbers are the host's own. Raises OSError."""
    uids, gids = (_spans(f"/proc/{pid}/{kind}_map") for kind in ("uid", "gid"))
    return None if uids == gids == (Span(0, 0, _ALL),) else Owners(uids, gids)


def _spans(path: str) -> tuple[Span, ...]:
    with open(path, encoding="ascii") as file:
        return tuple(Span(*map(int, line.split())) for line in file)


def _host_root(spans: tuple[Span, ...]) -> Span:
    return Span(max(span.inside + span.size for span in spans), 0, 1)


def _inside(spans: tuple[Span, ...], number: int) -> int:
    for span in spans:
        if 0 <= number - span.outside < span.size:
            return span.inside + number - span.outside
    return NOBODY


def _outside(spans: tuple[Span, ...], number: int) -> int:
    for span in spans:
        if 0 <= number - span.inside < span.size:
            return span.outside + number - span.inside
    raise ValueError(f"user or group {number} is none of the user namespace's")
