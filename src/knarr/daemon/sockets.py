"""The sockets that the daemon listens on: its own, or those that systemd hands over."""

import contextlib
import grp
import ipaddress
import os
import socket
import ssl
from pathlib import Path
from typing import Final

from knarr.daemon.settings import ServerTls
from knarr.errors import Conflict, InvalidArgument, KnarrError, Unavailable

PLAIN_TCP: Final = "--plain-tcp-makes-every-local-user-root"
_TLS_PORT, _PLAIN_PORT = 2376, 2375
_INTERNET: Final = (socket.AF_INET, socket.AF_INET6)
_FIRST_PASSED: Final = 3  # systemd's SD_LISTEN_FDS_START
_MODE: Final = 0o660
_GROUPS: Final = ("knarr", "docker")


def open_sockets(
    hosts: tuple[str, ...], group: str, *, secured: bool = False, plain_tcp: bool = False
) -> list[socket.socket]:
    """A bound socket for each host, ``fd://`` standing for all that systemd passed.

    secured: TCP connections will be taken with TLS on both sides. Without it they are refused,
    but for those of this machine when ``plain_tcp`` says so.
    """
    opened: list[socket.socket] = []
    for host in hosts:
        scheme, _, address = host.partition("://")
        match scheme:
            case "unix":
                opened.append(_unix(Path(address), group))
            case "fd":
                opened.extend(_passed())
            case "tcp":
                opened.append(_tcp(host, address, _TLS_PORT if secured else _PLAIN_PORT))
            case _:
                raise InvalidArgument(
                    f"cannot listen on {host!r}: knarr listens on unix://PATH, fd:// or"
                    " tcp://ADDRESS:PORT"
                )
    for sock in opened:
        if is_internet(sock) and not secured:
            _check_plain(sock, allowed=plain_tcp)
    return opened


def is_internet(sock: socket.socket) -> bool:
    return sock.family in _INTERNET


def server_context(files: ServerTls) -> ssl.SSLContext:
    """TLS that asks for a client's certificate. Raises InvalidArgument for unfit files."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.verify_mode = ssl.CERT_REQUIRED
    try:
        what = f"--tlscacert {files.ca}"
        context.load_verify_locations(files.ca)
        what = f"--tlscert {files.cert} with --tlskey {files.key}"
        context.load_cert_chain(files.cert, files.key)
    except OSError as error:  # ssl.SSLError is one, too
        reason = getattr(error, "reason", None) or error.strerror or error
        raise InvalidArgument(f"cannot use {what}: {reason}") from error
    return context


def _tcp(host: str, address: str, default_port: int) -> socket.socket:
    name, colon, port = address.rpartition(":")
    if not colon or address.endswith("]"):
        name, port = address, ""
    name = name.removeprefix("[").removesuffix("]")
    if port and not (port.isdecimal() and int(port) < 65536):
        raise InvalidArgument(f"cannot listen on {host!r}: {port!r} is no port")
    # Without a name every address of the machine is meant, without anything its loopback, as
    # dockerd has it.
    name = name or ("0.0.0.0" if colon else "127.0.0.1")
    try:
        found = socket.getaddrinfo(name, int(port or default_port), type=socket.SOCK_STREAM)
        family, _, _, _, where = found[0]
        sock = socket.socket(family)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind(where[:2])
    except OSError as error:
        raise Unavailable(f"cannot listen on {host}: {error.strerror or error}") from error
    return sock


def _check_plain(sock: socket.socket, *, allowed: bool) -> None:
    address, port = sock.getsockname()[:2]
    where = f"tcp://{address}:{port}"
    if not allowed:
        raise KnarrError(
            f"{where} without TLS would make everyone who reaches it root of this machine: give"
            " --tlsverify, --tlscacert, --tlscert and --tlskey, or use ssh://"
        )
    if not ipaddress.ip_address(address).is_loopback:
        raise KnarrError(
            f"{where} is reached from other machines: {PLAIN_TCP} is for loopback alone;"
            " give --tlsverify, --tlscacert, --tlscert and --tlskey"
        )


def _unix(path: Path, group: str) -> socket.socket:
    path.parent.mkdir(parents=True, exist_ok=True)
    if _answers(path):
        raise Conflict(f"another daemon already listens on {path}: stop it, or choose another -H")
    with contextlib.suppress(FileNotFoundError):
        path.unlink()
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    mask = os.umask(0o777 & ~_MODE)
    try:
        listener.bind(str(path))
    finally:
        os.umask(mask)
    os.chown(path, 0, _group_id(group))
    return listener


def _answers(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as probe:
        try:
            probe.connect(str(path))
        except OSError:
            return False
        return True


def _group_id(name: str) -> int:
    """The group that may use the socket; root's when none of the usual ones exists."""
    if name:
        try:
            return grp.getgrnam(name).gr_gid
        except KeyError:
            raise InvalidArgument(f"no group {name!r} on this machine: create it") from None
    known = {entry.gr_name: entry.gr_gid for entry in grp.getgrall()}
    return next((known[each] for each in _GROUPS if each in known), 0)


def _passed() -> list[socket.socket]:
    if os.environ.get("LISTEN_PID") != str(os.getpid()):
        raise InvalidArgument("-H fd:// works only when systemd starts the daemon by its socket")
    count = int(os.environ.get("LISTEN_FDS", "0"))
    return [socket.socket(fileno=_FIRST_PASSED + place) for place in range(count)]
