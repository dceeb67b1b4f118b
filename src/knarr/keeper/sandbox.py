"""Network namespaces, made and entered without a fork: the keeper has one thread."""

import os
import socket

from knarr.kernel.namespaces import inside_network, make_network, open_netlink, remove_network


class Sandboxes:
    """Namespaces by name, each a bind mount in one folder."""

    def __init__(self, folder: str) -> None:
        self._folder = folder
        os.makedirs(folder, mode=0o700, exist_ok=True)

    @property
    def none(self) -> bool:
        return not os.listdir(self._folder)

    def make(self, name: str) -> tuple[str, socket.socket]:
        """The new namespace's path and a netlink socket in it. Raises FileExistsError."""
        return self._path(name), make_network(self._path(name))

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
