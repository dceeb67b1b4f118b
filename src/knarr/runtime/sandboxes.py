"""Namespaces that the keeper makes and holds: networks, and the user namespaces that own them."""

import os
import socket

from knarr.keeper.wire import Message
from knarr.kernel.owners import Owners
from knarr.runtime.link import Link
from knarr.runtime.model import Sandbox, UserNamespace


class Sandboxes(Link):
    """What is asked of the keeper about namespaces."""

    async def make_sandbox(self, sandbox_id: str, owners: Owners | None = None) -> Sandbox:
        """A new network namespace with its loopback up. Raises Conflict if it is there already.

        owners: of the user namespace whose root shall rule in it; None for the host's.
        """
        arguments = {"sandbox": sandbox_id, "owners": _owners(owners)}
        return _sandbox(*await self._ask("make_sandbox", arguments))

    async def user_namespace(self, owners: Owners) -> UserNamespace:
        """The one user namespace of these owners; the descriptor is the caller's own."""
        reply = await self._ask("user_namespace", {"owners": _owners(owners)})
        return UserNamespace(reply.document["path"], reply.descriptors[0])

    async def user_namespace_path(self, owners: Owners) -> str:
        """The same for the OCI runtime to join; good as long as the keeper lives."""
        path, descriptor = await self.user_namespace(owners)
        os.close(descriptor)
        return path

    async def open_sandbox(self, sandbox_id: str) -> Sandbox:
        """Raises NotFound."""
        return _sandbox(*await self._ask("open_sandbox", {"sandbox": sandbox_id}))

    async def remove_sandbox(self, sandbox_id: str) -> None:
        """Let go of the namespace; one that is gone is fine."""
        await self._ask("remove_sandbox", {"sandbox": sandbox_id})

    async def open_socket(
        self,
        sandbox_id: str,
        family: socket.AddressFamily,
        kind: socket.SocketKind,
        address: tuple[str, int],
    ) -> socket.socket:
        """A socket bound to ``address`` in the namespace; a stream socket listens already."""
        host, port = address
        arguments = {
            "sandbox": sandbox_id, "family": family, "type": kind, "address": host, "port": port,
        }  # fmt: skip
        _, (descriptor,) = await self._ask("open_socket", arguments)
        bound = socket.socket(fileno=descriptor)
        bound.setblocking(False)
        return bound

    async def open_netlink(self, sandbox_id: str, protocol: int) -> socket.socket:
        """A netlink socket of that protocol (``NETLINK_NETFILTER``) in the namespace."""
        arguments = {"sandbox": sandbox_id, "protocol": protocol}
        _, (descriptor,) = await self._ask("open_netlink", arguments)
        return socket.socket(fileno=descriptor)


def _sandbox(document: Message, descriptors: tuple[int, ...]) -> Sandbox:
    (netlink,) = descriptors
    return Sandbox(document["path"], socket.socket(fileno=netlink))


def _owners(owners: Owners | None) -> Message | None:
    return None if owners is None else {"uids": owners.uids, "gids": owners.gids}
