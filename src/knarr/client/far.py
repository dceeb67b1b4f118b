"""Connections that need more than one system call: TCP, TLS, a program such as ssh."""

from __future__ import annotations

import contextlib
import os
import socket
import ssl
import subprocess
from collections.abc import Callable, Sequence
from functools import partial
from typing import TypeVar

from knarr.client.endpoint import Endpoint, Tls
from knarr.errors import InvalidArgument, Unavailable

R = TypeVar("R")

KEEPALIVE_S = 30  # seconds, as Docker's client has it: an attach may be silent for hours
CONNECT_S = 10  # seconds to wait for a TCP connection


def dial(endpoint: Endpoint) -> socket.socket | TlsSocket | ProgramSocket:
    """A connection to a tcp or ssh endpoint. Raises OSError when nothing answers."""
    if endpoint.scheme == "ssh":
        return ProgramSocket(endpoint.ssh_command())
    plain = socket.create_connection((endpoint.host, endpoint.port), timeout=CONNECT_S)
    plain.settimeout(None)
    plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    plain.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, KEEPALIVE_S)
    return plain if endpoint.tls is None else TlsSocket(plain, endpoint.host, endpoint.tls)


def tls_context(tls: Tls) -> ssl.SSLContext:

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        if not tls.verify:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        elif tls.ca:
            context.load_verify_locations(tls.ca)
        else:
            context.load_default_certs()
        if tls.cert and tls.key:
            context.load_cert_chain(tls.cert, tls.key)
    except (OSError, ssl.SSLError) as error:
        raise InvalidArgument(f"unable to resolve docker endpoint: {error}") from error
    return context


class TlsSocket:
    """TLS over a socket, with the half close that a hijacked connection needs.

    ``ssl.SSLSocket.unwrap`` waits for the peer to close as well; an ``SSLObject`` over memory tells
    the peer and goes on reading.
    """

    def __init__(self, plain: socket.socket, host: str, tls: Tls) -> None:
        self._plain = plain
        self._waiting = b""  # what has been encrypted and not sent
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._session = tls_context(tls).wrap_bio(
            self._incoming, self._outgoing, server_hostname=host
        )
        try:
            self._pumped(self._session.do_handshake)
        except ssl.SSLError as error:
            plain.close()
            raise Unavailable(f"error during connect: {error}") from error

    def _pumped(self, step: Callable[[], R]) -> R:
        """Do one step of TLS, moving bytes until it is done."""
        while True:
            try:
                result = step()
            except ssl.SSLWantReadError:
                self._flush()
                if data := self._plain.recv(65536):
                    self._incoming.write(data)
                else:
                    self._incoming.write_eof()
            else:
                self._flush()
                return result

    def _flush(self) -> None:
        data, self._waiting = self._waiting + self._outgoing.read(), b""
        if data:
            self._plain.sendall(data)

    def sendall(self, data: bytes) -> None:
        for start in range(0, len(data), 16384):
            piece = data[start : start + 16384]
            self._pumped(partial(self._session.write, piece))

    def send(self, data: bytes, _flags: int) -> int:
        """As much as one TLS record takes, once the one before has left."""
        self._flush_some()
        if self._waiting:
            raise BlockingIOError
        sent = self._session.write(data[:16384])
        self._flush_some()
        return sent

    def _flush_some(self) -> None:
        self._waiting += self._outgoing.read()
        with contextlib.suppress(BlockingIOError):
            while self._waiting:
                sent = self._plain.send(self._waiting, socket.MSG_DONTWAIT)
                self._waiting = self._waiting[sent:]

    def recv(self, size: int) -> bytes:
        try:
            data: bytes = self._pumped(lambda: self._session.read(size))
        except (ssl.SSLZeroReturnError, ssl.SSLEOFError):
            return b""
        # Records that have been taken from the socket would wake nobody who waits on it.
        with contextlib.suppress(ssl.SSLError):
            while len(data) < size and (more := self._session.read(size - len(data))):
                data += more
        return data

    def shutdown(self, _how: int) -> None:
        """Tell the peer that nothing more is sent; reading goes on."""
        with contextlib.suppress(ssl.SSLError):
            self._session.unwrap()
        self._flush()

    def fileno(self) -> int:
        return self._plain.fileno()

    def close(self) -> None:
        self._plain.close()


class ProgramSocket:
    """A connection to a program's standard input and output: ``ssh HOST docker system dial-stdio``.

    One socket pair is both, so that everything that waits on descriptors works with it.
    """

    def __init__(self, argv: Sequence[str]) -> None:
        self._argv = list(argv)
        self._ours, theirs = socket.socketpair()
        self._words, words = os.pipe()
        try:
            self._program = subprocess.Popen(
                self._argv, stdin=theirs.fileno(), stdout=theirs.fileno(), stderr=words
            )
        except BaseException:
            self._ours.close()
            os.close(self._words)
            raise
        finally:
            theirs.close()
            os.close(words)

    def sendall(self, data: bytes) -> None:
        try:
            self._ours.sendall(data)
        except BrokenPipeError:
            self._check()
            raise

    def send(self, data: bytes, flags: int) -> int:
        return self._ours.send(data, flags)

    def recv(self, size: int) -> bytes:
        try:
            data = self._ours.recv(size)
        except ConnectionResetError:
            data = b""
        if not data:
            self._check()
        return data

    def _check(self) -> None:
        """Raises Unavailable with the program's own words where it has failed."""
        if code := self._program.wait():
            raise Unavailable(
                f"error during connect: command [{' '.join(self._argv)}] has exited with exit "
                f"status {code}, make sure the URL is valid, and Docker 18.09 or later is "
                f"installed on the remote host: stderr={self._said()}"
            )

    def _said(self) -> str:
        os.set_blocking(self._words, False)
        try:
            return os.read(self._words, 4096).decode("utf-8", "replace")
        except BlockingIOError:
            return ""

    def shutdown(self, how: int) -> None:
        self._ours.shutdown(how)

    def fileno(self) -> int:
        return self._ours.fileno()

    def close(self) -> None:
        self._ours.close()
        if self._words >= 0:
            os.close(self._words)
            self._words = -1
        try:
            self._program.wait(timeout=1)
        except subprocess.TimeoutExpired:
            self._program.terminate()
            self._program.wait()
