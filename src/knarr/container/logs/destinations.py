"""Connections that messages of a log are sent over: datagrams, and streams with TLS or without."""

import asyncio
import os
import socket
import ssl
from collections.abc import Sequence
from contextlib import suppress
from typing import Final, Protocol

from knarr.container.logs.syslog import LOCAL_SOCKETS, TLS, Address, Tls
from knarr.errors import InvalidArgument

_CONNECT_S: Final = 10.0


class Destination(Protocol):
    """Somebody who takes messages. Not used any more once ``send`` has raised."""

    async def send(self, messages: Sequence[bytes]) -> None:
        """Raises OSError when nobody takes them any more."""
        ...

    def close(self) -> None: ...


class Datagrams:
    """Each message a datagram."""

    def __init__(self, sock: socket.socket) -> None:
        self._socket = sock

    async def send(self, messages: Sequence[bytes]) -> None:
        loop = asyncio.get_running_loop()
        for message in messages:
            try:
                self._socket.send(message)
            except BlockingIOError:
                await loop.sock_sendall(self._socket, message)

    def close(self) -> None:
        self._socket.close()


class UdpDatagrams(Datagrams):
    """The same, but that nobody listens is no reason to keep a message: that is how UDP is."""

    async def send(self, messages: Sequence[bytes]) -> None:
        for message in messages:
            with suppress(ConnectionRefusedError):
                await super().send((message,))


class Stream:
    """Messages one after the other; nothing is said back."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writer = writer
        self._closed = asyncio.ensure_future(reader.read())
        self._closed.add_done_callback(lambda read: read.cancelled() or read.exception())

    async def send(self, messages: Sequence[bytes]) -> None:
        if self._closed.done():
            raise ConnectionResetError("the syslog server closed the connection")
        self._writer.write(b"".join(messages))
        await self._writer.drain()

    def close(self) -> None:
        self._closed.cancel()
        self._writer.close()


async def to_syslog(address: Address, tls: Tls) -> Destination:
    """Raises OSError, with whom it could not reach."""
    if not address.scheme:
        return await _to_local()
    try:
        async with asyncio.timeout(_CONNECT_S):
            return await _to_address(address, tls)
    except OSError as error:
        network = {"unixgram": "unix", TLS: "tcp"}.get(address.scheme, address.scheme)
        whom = address.path or f"{address.host}:{address.port}"
        raise OSError(error.errno, f"dial {network} {whom}: {_words(error)}") from error


async def _to_address(address: Address, tls: Tls) -> Destination:
    if address.scheme == "unixgram":
        return _to_socket(address.path)
    if address.scheme == "unix":
        return Stream(*await asyncio.open_unix_connection(address.path))
    if address.scheme == "udp":
        return await _to_udp(address)
    context = context_of(tls) if address.scheme == TLS else None
    return Stream(*await asyncio.open_connection(address.host, address.port, ssl=context))


def to_journal(path: str) -> Destination:
    """Raises OSError where there is no journal."""
    return _to_socket(path)


def context_of(tls: Tls) -> ssl.SSLContext:
    """Raises InvalidArgument for files that are none of what they should be."""
    try:
        context = ssl.create_default_context(cafile=tls.authorities or None)
        if tls.certificate:
            context.load_cert_chain(tls.certificate, tls.key or None)
    except (OSError, ssl.SSLError) as error:
        files = ", ".join(filter(None, (tls.authorities, tls.certificate, tls.key)))
        raise InvalidArgument(f"could not load the TLS files {files}: {error}") from error
    if not tls.verifies:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


async def _to_local() -> Destination:
    for path in LOCAL_SOCKETS:
        with suppress(OSError):
            return _to_socket(path)
        with suppress(OSError):
            return Stream(*await asyncio.open_unix_connection(path))
    places = ", ".join(LOCAL_SOCKETS)
    raise OSError(f"Unix syslog delivery error: nobody listens at {places}")


def _to_socket(path: str) -> Datagrams:
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    try:
        sock.setblocking(False)
        sock.connect(path)
    except OSError:
        sock.close()
        raise
    return Datagrams(sock)


async def _to_udp(address: Address) -> Datagrams:
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(address.host, address.port, type=socket.SOCK_DGRAM)
    family, kind, protocol, _, where = found[0]
    sock = socket.socket(family, kind, protocol)
    try:
        sock.setblocking(False)
        sock.connect(where)
    except OSError:
        sock.close()
        raise
    return UdpDatagrams(sock)


def _words(error: OSError) -> str:
    """What the kernel says; asyncio hides it in words of its own."""
    if isinstance(error, TimeoutError) and not error.errno:
        return f"connect: no answer within {_CONNECT_S:g} s"
    if error.errno and error.errno > 0 and not isinstance(error, (ssl.SSLError, socket.gaierror)):
        return f"connect: {os.strerror(error.errno).lower()}"
    return error.strerror or str(error)
