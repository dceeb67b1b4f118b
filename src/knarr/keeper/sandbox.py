"""Network namespaces, entered without a fork, and the user namespaces that may own them.

The keeper has one thread, so it can enter and leave; what belongs to a user namespace is made by a
child, since nobody comes back from one.
"""

import os
import socket

from knarr.kernel.namespaces import (
    inside_network,
    make_network,
    make_network_of,
    make_user,
    open_netlink,
    remove_network,
)
from knarr.kernel.owners import Owners


class UserNamespaces:
    """One for each set of owners, made when first asked for; they live as long as the keeper."""

    def __init__(self) -> None:
        self._made: dict[Owners, int] = {}

    def of(self, owners: Owners) -> int:
        """A descriptor that stays the keeper's. Raises OSError."""
        if (found := self._made.get(owners)) is None:
            found = self._made[owners] = make_user(owners)
        return found


class Sandboxes:
    """Namespaces by name, each a bind mount in one folder."""

    def __init__(self, folder: str) -> None:
        self._folder = folder
        os.makedirs(folder, mode=0o700, exist_ok=True)

    @property
    def none(self) -> bool:
        return not os.listdir(self._folder)

    def make(self, name: str, user: int | None = None) -> tuple[str, socket.socket]:
        """The new namespace's path and a netlink socket in it. Raises FileExistsError.

        user: the user namespace that shall own it, else the host's own does.
        """
        path = self._path(name)
        return path, make_network(path) if user is None else make_network_of(user, path)

    def open(self, name: str) -> tuple[str, socket.socket]:
        """The same for one that is there. Raises FileNotFoundError."""
        with inside_network(self._path(name)):
            return self._path(name), open_netlink()

    def open_netlink(self, name: str, protocol: int) -> socket.socket:
        """A netlink socket of that protocol inside. Raises FileNotFoundError."""
        with inside_network(self._path(name)):
            return open_netlink(protocol)

    def remove(self, name: str) -> None:
        remove_network(self._path(name))

    def bind(self, name: str, family: int, kind: int, address: tuple[str, int]) -> socket.socket:
        """A socket bound to ``address`` inside; one for connections listens already."""
        with inside_network(self._path(name)):
            bound = socket.socket(family, kind | socket.SOCK_CLOEXEC)
        try:
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            bound.bind(address)
            if kind == socket.SOCK_STREAM:
                bound.listen(64)
        except OSError:
            bound.close()
            raise
        return bound

    def _path(self, name: str) -> str:
        return f"{self._folder}/{name}"
