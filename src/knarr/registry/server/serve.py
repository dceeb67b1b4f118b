"""A registry as a process of its own: assembled from its settings, served until it is to end."""

import asyncio
import contextlib
import fcntl
import logging
import signal
import socket
import ssl
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Final

from knarr.content import BlobStore
from knarr.content.rows import all_blobs
from knarr.errors import Conflict, InvalidArgument, Unavailable
from knarr.events import EventBus
from knarr.http.server import Server
from knarr.registry.registries import Logins, Registries
from knarr.registry.server.access import OPEN, USERS_ONLY, Access, parse_access
from knarr.registry.server.application import Application
from knarr.registry.server.door import Door, token_maker
from knarr.registry.server.logins import HtpasswdFile
from knarr.registry.server.mirror import Mirror
from knarr.registry.server.registry import Registry
from knarr.registry.server.settings import Settings
from knarr.registry.table import table_of
from knarr.registry.transport import Transport
from knarr.spec import decode
from knarr.spec.docker.auth import StoredLogins
from knarr.spec.docker.registries import RegistrySettings
from knarr.store import Database

_HEADERS: Final = {"Docker-Distribution-API-Version": "registry/2.0", "Server": "knarr"}
_log = logging.getLogger("knarr.registry")


async def serve(settings: Settings) -> None:
    """Until SIGTERM or SIGINT. Raises Conflict when another process serves from the same root."""
    ending = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, ending.set)
    async with running(settings) as address:
        print(f"Serving {settings.root} on {address}", file=sys.stderr, flush=True)
        await ending.wait()


@contextlib.asynccontextmanager
async def running(settings: Settings) -> AsyncIterator[str]:
    """The registry, for the length of a block; its address."""
    settings.root.mkdir(mode=0o700, parents=True, exist_ok=True)
    with (
        _alone(settings.root),
        contextlib.closing(Database(settings.root / "registry.db", EventBus())) as db,
    ):
        blobs = BlobStore(settings.root)
        for orphan in blobs.sweep(all_blobs(db)):
            _log.warning("removed %s, which nothing leads to", orphan)
        async with served(settings, db, blobs) as address:
            yield address


@contextlib.asynccontextmanager
async def served(settings: Settings, db: Database, blobs: BlobStore) -> AsyncIterator[str]:
    """The same from a store that is somebody else's too: the daemon's, whose images share it."""
    sock = _bound(settings)
    registry = Registry(db, blobs)
    mirror = _mirror(settings, registry, blobs)
    application = Application(
        registry, _door(settings, db), read_only=settings.read_only, mirror=mirror
    )
    try:
        async with asyncio.TaskGroup() as tasks:
            server = Server(application, tasks, _HEADERS, silence_s=settings.silence_s)
            port = sock.getsockname()[1]
            await server.listen(sock, _tls(settings))
            collecting = tasks.create_task(collect_for_ever(registry, settings))
            try:
                yield f"{settings.scheme}://{_shown(settings.host)}:{port}"
            finally:
                collecting.cancel()
                await server.close()
    except BaseExceptionGroup as group:
        raise group.exceptions[0] from group
    finally:
        if mirror is not None:
            await mirror.close()
        registry.close()
        sock.close()


async def collect_for_ever(registry: Registry, settings: Settings) -> None:
    while settings.collect_every_s > 0:
        await asyncio.sleep(settings.collect_every_s)
        freed = registry.collect(young_s=settings.young_s, untagged_s=settings.untagged_after_s)
        if freed.blobs:
            _log.info("collected %d blobs, %d bytes", freed.blobs, freed.size_bytes)


@contextlib.contextmanager
def _alone(root: Path) -> Iterator[None]:
    """Two processes on one root would sweep each other's uploads away. Raises Conflict."""
    with open(root / "lock", "wb") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Conflict(f"another registry serves from {root}") from None
        yield


def _bound(settings: Settings) -> socket.socket:
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        sock.bind((settings.host, settings.port))
    except OSError as error:
        sock.close()
        raise Unavailable(
            f"cannot listen on {_shown(settings.host)}:{settings.port}: {error.strerror}"
        ) from error
    return sock


def _shown(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def _tls(settings: Settings) -> ssl.SSLContext | None:
    if settings.tls_cert is None:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        context.load_cert_chain(settings.tls_cert, settings.tls_key)
    except OSError as error:  # SSLError is one
        raise InvalidArgument(f"cannot use {settings.tls_cert} and its key: {error}") from error
    return context


def _door(settings: Settings, db: Database) -> Door:
    if settings.htpasswd is None:
        return Door(access=OPEN)
    return Door(
        access=_access(settings),
        passwords=HtpasswdFile(settings.htpasswd),
        tokens=token_maker(db) if settings.tokens else None,
        url=settings.url,
        scheme=settings.scheme,
    )


def _access(settings: Settings) -> Access:
    if settings.access is None:
        return USERS_ONLY
    return parse_access(_text(settings.access))


def _mirror(settings: Settings, registry: Registry, blobs: BlobStore) -> Mirror | None:
    if not settings.proxies:
        return None
    table = table_of(RegistrySettings(insecure_registries=settings.insecure_registries))
    return Mirror(
        registry,
        blobs,
        Registries(table, Transport()),
        settings.proxies,
        _proxy_logins(settings),
        fresh_s=settings.proxy_fresh_s,
    )


def _proxy_logins(settings: Settings) -> Logins:
    if settings.proxy_logins is None:
        return Logins()
    stored = decode(_text(settings.proxy_logins), StoredLogins)
    if stored.creds_store or stored.cred_helpers:
        _log.warning("credential helpers are not asked: logins must be in the file itself")
    return Logins(by_server=stored.auths)


def _text(path: Path) -> str:
    try:
        return path.read_text()
    except OSError as error:
        raise InvalidArgument(f"cannot read {path}: {error.strerror}") from error
