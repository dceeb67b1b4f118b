"""The nameserver at 127.0.0.11 in every container of a user-defined network.

It is one place in the daemon, on sockets that were made inside the containers' namespaces. They
are bound to ports of the kernel's choice, and two rules inside the namespace lead port 53 of that
address to them: port 53 itself stays free for a nameserver that the container may be.
"""

import asyncio
import logging
import socket
import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol

from knarr.ids import ContainerId
from knarr.kernel import nftables as nft
from knarr.kernel.netlink import Netlink, Request
from knarr.kernel.nftables import NETLINK_NETFILTER, Chain, NfTables
from knarr.network.directory import Directory, View
from knarr.network.resolv import OWN_SERVER

_log = logging.getLogger("knarr.network")
_TABLE: Final = "knarr-dns"
_PROTOCOLS: Final = ((socket.SOCK_DGRAM, 17), (socket.SOCK_STREAM, 6))
_DNS_PORT: Final = 53
_LARGEST_BYTES: Final = 65_535
_TCP_IDLE_SECONDS: Final = 10.0
_QUESTIONS_AT_ONCE: Final = 256  # of one container; beyond, datagrams are dropped


class Sockets(Protocol):
    """Makes sockets inside a container's namespace: the keeper."""

    async def open_socket(
        self,
        sandbox_id: str,
        family: socket.AddressFamily,
        kind: socket.SocketKind,
        address: tuple[str, int],
    ) -> socket.socket:
        """Bound to ``address``; one for connections listens."""

    async def open_netlink(self, sandbox_id: str, protocol: int) -> socket.socket:
        """A netlink socket."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Client:
    """A container that asks. ``forwarders``: whom to ask what is not known here."""

    view: Callable[[], View]
    forwarders: Callable[[], Sequence[str]]


def redirection(ports: Sequence[tuple[int, int]], *, anew: bool) -> list[Request]:
    """Port 53 of our address leads to ``ports``, (protocol number, port) each.

    anew: there are rules already, from a daemon before. Without need nothing is removed: closing
    the socket would then wait some 15 ms for the kernel to clear away.
    """
    address = socket.inet_aton(OWN_SERVER)
    rules = tuple(
        (
            nft.meta("nfproto"), nft.equals(bytes((nft.IPV4,))),
            nft.payload("ip daddr"), nft.equals(address),
            nft.meta("l4proto"), nft.equals(bytes((protocol,))),
            nft.payload("th dport"), nft.equals(struct.pack(">H", _DNS_PORT)),
            nft.load(address, 0), nft.load(struct.pack(">H", port), 1),
            nft.redirect(nft.IPV4, port_quarter=1),
        )
        for protocol, port in ports
    )  # fmt: skip
    chain = Chain(name="output", rules=rules, kind="nat", hook=nft.OUTPUT, priority=-100)
    return [
        *([nft.remove_table(_TABLE)] if anew else []),
        nft.add_table(_TABLE),
        nft.add_chain(_TABLE, chain),
        *nft.add_rules(_TABLE, chain),
    ]


class Nameserver:
    """Serves containers one by one; ``close`` ends all."""

    def __init__(self, directory: Directory) -> None:
        self._directory = directory
        self._served: dict[ContainerId, _Served] = {}
        self._forwarder: Any = None  # made with the first container: its import takes its time

    def serves(self, container: ContainerId) -> bool:
        return container in self._served

    async def serve(self, container: ContainerId, sockets: Sockets, client: Client) -> None:
        """From now on the container has a nameserver. Raises OSError when it cannot be."""
        from knarr.network.forwarding import Forwarder

        self._forwarder = self._forwarder or Forwarder()
        if container in self._served:
            return
        served = self._served[container] = _Served(self._directory, self._forwarder, client)
        try:
            ports = []
            for kind, protocol in _PROTOCOLS:
                sock = await sockets.open_socket(
                    container, socket.AF_INET, socket.SocketKind(kind), (OWN_SERVER, 0)
                )
                await served.listen(sock)
                ports.append((protocol, sock.getsockname()[1]))
            netlink = await sockets.open_netlink(container, NETLINK_NETFILTER)
            with netlink:
                tables = NfTables(Netlink(netlink))
                anew = (nft.INET, _TABLE) in tables.tables()
                tables.commit(redirection(ports, anew=anew))
        except BaseException:
            self.stop(container)
            raise

    def stop(self, container: ContainerId) -> None:
        """Content when it is not served."""
        if served := self._served.pop(container, None):
            served.close()

    def close(self) -> None:
        for container in list(self._served):
            self.stop(container)


class _Served(asyncio.DatagramProtocol):
    """One container's server: a datagram socket and a listening one."""

    def __init__(self, directory: Directory, forwarder: Any, client: Client) -> None:
        self._directory, self._forwarder, self._client = directory, forwarder, client
        self._transport: asyncio.DatagramTransport | None = None
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    async def listen(self, sock: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        if sock.type == socket.SOCK_DGRAM:
            self._transport, _ = await loop.create_datagram_endpoint(lambda: self, sock=sock)
        else:
            # In two steps: cancelled in between, the server is known here and is closed.
            self._server = await asyncio.start_server(self._talk, sock=sock, start_serving=False)
            await self._server.start_serving()

    def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        if self._transport:
            self._transport.close()
        if self._server:
            self._server.close()

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        if len(self._tasks) < _QUESTIONS_AT_ONCE:
            self._start(self._answer_datagram(data, addr))

    def _start(self, work: Any) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _answer_datagram(self, data: bytes, peer: tuple[str, int]) -> None:
        reply = await self._answer(data, by_tcp=False)
        if reply and self._transport and not self._transport.is_closing():
            self._transport.sendto(reply, peer)

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection may carry several questions, one after the other (RFC 7766)."""
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            while True:
                async with asyncio.timeout(_TCP_IDLE_SECONDS):
                    (length,) = struct.unpack(">H", await reader.readexactly(2))
                    data = await reader.readexactly(length)
                reply = await self._answer(data, by_tcp=True)
                if not reply:
                    return
                writer.write(struct.pack(">H", len(reply)) + reply)
                await writer.drain()
        except (OSError, TimeoutError, asyncio.IncompleteReadError):
            return  # it went, or has no more to ask
        finally:
            self._tasks.discard(task)
            writer.close()

    async def _answer(self, data: bytes, *, by_tcp: bool) -> bytes | None:
        from knarr.network import dns

        question = dns.read_question(data)
        if question is None:
            return None
        reply = dns.answer(question, self._directory, self._client.view())
        if reply is None:
            servers = self._client.forwarders()
            forwarded: bytes | None = await self._forwarder.ask(question, servers, by_tcp=by_tcp)
            if forwarded is not None:
                return forwarded
            reply = dns.servfail(question)
        return dns.fitted(reply, _LARGEST_BYTES if by_tcp else question.room_bytes)
