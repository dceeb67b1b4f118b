"""The daemon's life: settings, lock, engine, sockets, and a clean way out."""

import asyncio
import fcntl
import logging
import os
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from knarr import __version__
from knarr.api import import_routes
from knarr.api.router import Router
from knarr.api.system import COMMON_HEADERS
from knarr.daemon.assemble import assembled
from knarr.daemon.guard import from_programs_only
from knarr.daemon.ready import notify
from knarr.daemon.settings import USAGE, Settings, settings_of
from knarr.daemon.sockets import is_internet, open_sockets, server_context
from knarr.errors import Conflict, KnarrError
from knarr.http.server import Server
from knarr.http.tls import TlsGate
from knarr.kernel.memory import recycle_buffers

_log = logging.getLogger("knarr.daemon")


def main(argv: Sequence[str]) -> int:
    """``knarr daemon``. Returns the exit code."""
    if "--help" in argv or "-h" in argv:
        print(USAGE, end="")
        return 0
    try:
        settings = settings_of(argv)
        _prepare_logging(settings.log_level)
        recycle_buffers()
        with _owned(settings), _alone():
            asyncio.run(_serve(settings))
    except KnarrError as error:
        print(f"knarr daemon: {error}", file=sys.stderr)
        return 1
    return 0


@contextmanager
def _alone() -> Iterator[None]:
    """A task group raises a group even of one: what stopped the start is told for itself."""
    try:
        yield
    except ExceptionGroup as group:
        match group.exceptions:
            case (KnarrError() as error,):
                raise error from group
        raise


def _prepare_logging(level: str) -> None:
    logging.basicConfig(
        level=level.upper(),
        stream=sys.stderr,
        format="%(asctime)s %(levelname)s %(name)s: %(message)s",
    )


@contextmanager
def _owned(settings: Settings) -> Iterator[None]:
    """Both roots, made where they are missing, and held against a second daemon."""
    if os.geteuid() != 0:
        raise KnarrError("the engine needs root: start it with sudo, or by its systemd unit")
    settings.data_root.mkdir(parents=True, exist_ok=True, mode=0o711)
    settings.run_root.mkdir(parents=True, exist_ok=True, mode=0o711)
    with _lock(settings.data_root), _lock(settings.run_root):
        yield


@contextmanager
def _lock(folder: Path) -> Iterator[None]:
    handle = os.open(folder / "daemon.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise Conflict(
            f"another daemon uses {folder}: stop it, or give this one its own --data-root"
            " and --run-root"
        ) from None
    else:
        yield
    finally:
        os.close(handle)


async def _serve(settings: Settings) -> None:
    """Until SIGTERM or SIGINT. Containers go on: the keeper holds them."""
    context = server_context(settings.tls) if settings.tls else None
    secured, plain = context is not None, settings.plain_tcp
    tcp = tuple(host for host in settings.listening if host.startswith("tcp://"))
    local = tuple(host for host in settings.listening if host not in tcp)
    # Bound beforehand: what is refused is refused at once.
    sockets = open_sockets(tcp, settings.group, secured=secured, plain_tcp=plain)
    import_routes()
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    async with asyncio.TaskGroup() as tasks, assembled(settings, tasks) as engine:
        router = Router(engine)
        server = Server(router, tasks, COMMON_HEADERS)
        guarded = Server(from_programs_only(router), tasks, COMMON_HEADERS)
        gate = TlsGate(context, server.serve, tasks) if context else None
        sockets.extend(open_sockets(local, settings.group, secured=secured, plain_tcp=plain))
        for sock in sockets:
            if not is_internet(sock):
                await server.listen(sock)
            elif gate is not None:
                await gate.listen(sock)
            else:
                await guarded.listen(sock)
        (settings.run_root / "daemon.pid").write_text(f"{os.getpid()}\n")
        notify("READY=1")
        _log.info("knarr %s listens on %s", __version__, ", ".join(settings.listening))
        await stop.wait()
        notify("STOPPING=1")
        _log.info("stopping; containers go on")
        for each in (gate, guarded, server):
            if each is not None:
                await each.close()
        for host in settings.listening:
            if host.startswith("unix://"):
                Path(host.removeprefix("unix://")).unlink(missing_ok=True)
