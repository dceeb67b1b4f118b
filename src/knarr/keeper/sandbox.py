"""Network namespaces, entered without a fork, and the user namespaces that may own them.

The keeper has one thread, so it can enter and leave; what belongs to a user namespace is made by a
child, since nobody comes back from one.
"""

import os
import socket
from collections.abc import Mapping
from contextlib import suppress
from errno import ENOENT

from knarr.kernel.namespaces import (
    inside_network,
    make_network,
    make_network_of,
    make_user,
    open_netlink,
    remove_network,
)
from knarr.kernel.owners import Owners
from knarr.kernel.process import start_time


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
    """Namespaces by name, each a descriptor of ours; a link in one folder leads to it.

    A descriptor, not a bind mount: every mount of the host's is copied for each container that
    starts (docs/decisions/few-mounts.md).
    """

    def __init__(self, folder: str) -> None:
        self._folder = folder
        self._held: dict[str, int] = {}
        os.makedirs(folder, mode=0o700, exist_ok=True)

    @property
    def none(self) -> bool:
        return not os.listdir(self._folder)

    def recover(self, processes: Mapping[str, tuple[int, int]]) -> None:
        """Of an earlier keeper: namespaces live on by the processes in them.

        processes: PID and start time in ticks, by the namespace's name. A link that leads nowhere
        any more stays, for the daemon to clear away.
        """
        for name, (pid, started) in processes.items():
            path = self._path(name)
            if not os.path.islink(path):
                continue  # the host's, another container's, or a bind mount of knarr 0.1
            with suppress(OSError):
                namespace = os.open(f"/proc/{pid}/ns/net", os.O_RDONLY | os.O_CLOEXEC)
                if start_time(pid) != started:
                    os.close(namespace)
                    continue
                os.unlink(path)
                self._hold(name, namespace)

    def make(self, name: str, user: int | None = None) -> tuple[str, socket.socket]:
        """The new namespace's path and a netlink socket in it. Raises FileExistsError.

        user: the user namespace that shall own it, else the host's own does.
        """
        namespace, netlink = make_network() if user is None else make_network_of(user)
        try:
            self._hold(name, namespace)
        except OSError:
            netlink.close()
            raise
        return _link_to(namespace), netlink

    def open(self, name: str) -> tuple[str, socket.socket]:
        """The same for one that is there. Raises FileNotFoundError."""
        namespace = self._namespace(name)
        with inside_network(namespace):
            return _link_to(namespace), open_netlink()

    def open_netlink(self, name: str, protocol: int) -> socket.socket:
        """A netlink socket of that protocol inside. Raises FileNotFoundError."""
        with inside_network(self._namespace(name)):
            return open_netlink(protocol)

    def remove(self, name: str) -> None:
        remove_network(self._path(name))
        if (namespace := self._held.pop(name, None)) is not None:
            os.close(namespace)

    def bind(self, name: str, family: int, kind: int, address: tuple[str, int]) -> socket.socket:
        """A socket bound to ``address`` inside; one for connections listens already."""
        with inside_network(self._namespace(name)):
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

    def _hold(self, name: str, namespace: int) -> None:
        try:
            os.symlink(_link_to(namespace), self._path(name))
        except OSError:
            os.close(namespace)
            raise
        self._held[name] = namespace

    def _namespace(self, name: str) -> int:
        if (held := self._held.get(name)) is not None:
            return held
        path = self._path(name)
        if os.path.islink(path):  # of a keeper that is gone: its number may be anybody's by now
            raise FileNotFoundError(ENOENT, "the network namespace is gone", path)
        self._held[name] = namespace = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        return namespace

    def _path(self, name: str) -> str:
        return f"{self._folder}/{name}"


def _link_to(namespace: int) -> str:
    return f"/proc/{os.getpid()}/fd/{namespace}"
