"""One engine as a process of its own, and everything that makes it go away again."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from knarr.client import AsyncClient, Client
from knarr.client.blocking import CannotConnect
from knarr.errors import KnarrError

_READY_S: Final = 60.0
_STOPPED_S: Final = 30.0
_GLANCE_S: Final = 0.02
_PIECE: Final = 1 << 20  # bytes
_TAIL: Final = 4000  # characters of its log that are shown when it fails


class Engine:
    """A running engine. Made by ``knarr.engine``; usable from ``with`` and ``async with``."""

    def __init__(
        self, root: Path | None, images: Sequence[Path | str], flags: Sequence[str]
    ) -> None:
        self._own_root = root is None
        self.root = Path(root or tempfile.mkdtemp(prefix="knarr-engine-"))
        # A socket's address has 107 bytes, and a test's folder may take them all.
        self._run_root = Path(tempfile.mkdtemp(prefix="knarr-"))
        self._images, self._flags = tuple(map(Path, images)), tuple(flags)
        self._process: subprocess.Popen[bytes] | None = None
        self._client: Client | None = None

    @property
    def host(self) -> str:
        """What DOCKER_HOST takes: any client of Docker's API can use it."""
        return f"unix://{self._run_root}/knarr.sock"

    @property
    def environment(self) -> Mapping[str, str]:
        """For programs: their variables, with this engine for ``docker``, ``knarr`` and SDKs."""
        return {
            **os.environ,
            "DOCKER_HOST": self.host,
            "KNARR_HOST": self.host,
            "DOCKER_CONFIG": str(self.root / "client"),
        }

    @property
    def client(self) -> Client:
        """A client that waits; closed with the engine."""
        if self._client is None:
            self._client = Client(self.host, environ={})
        return self._client

    def async_client(self) -> AsyncClient:
        """A client to be awaited, for ``async with``: one for each event loop."""
        return AsyncClient(self.host, environ={})

    @property
    def log(self) -> str:
        """What the engine has written so far."""
        try:
            return (self.root / "daemon.log").read_text(errors="replace")
        except FileNotFoundError:
            return ""

    def load(self, archive: Path) -> None:
        """Bring in the images of an archive (``save``'s, or an OCI layout)."""
        with archive.open("rb") as file:
            for _ in self.client.images.load(iter(lambda: file.read(_PIECE), b"")):
                pass

    def __enter__(self) -> Self:
        try:
            self._start()
            for archive in self._images:
                self.load(archive)
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._end()

    async def __aenter__(self) -> Self:
        return await asyncio.to_thread(self.__enter__)

    async def __aexit__(self, *error: object) -> None:
        await asyncio.to_thread(self._end)

    def _start(self) -> None:
        if os.geteuid() != 0:
            raise KnarrError("an engine needs root: run the tests that use one with sudo")
        self.root.mkdir(parents=True, exist_ok=True)
        with (self.root / "daemon.log").open("ab") as log:
            # -P: what is imported is not for the folder of the tests to decide.
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-m", "knarr", "daemon", "--data-root",
                 str(self.root / "data"), "--run-root", str(self._run_root), *self._flags],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
                env={name: value for name, value in os.environ.items() if name != "KNARR_HOST"},
            )  # fmt: skip
        deadline = time.monotonic() + _READY_S
        while not self._answers():
            if self._process.poll() is not None:
                raise KnarrError(f"the engine did not start:\n{self.log[-_TAIL:]}")
            if time.monotonic() > deadline:
                raise KnarrError(f"the engine does not answer:\n{self.log[-_TAIL:]}")
            time.sleep(_GLANCE_S)

    def _answers(self) -> bool:
        try:
            self.client.system.ping()
        except CannotConnect:
            return False
        return True

    def _end(self) -> None:
        """Containers, volumes, networks, processes and files: all that came with it."""
        if self._process is not None and self._process.poll() is None:
            with contextlib.suppress(KnarrError):
                self._clear()
            self._process.send_signal(signal.SIGTERM)
            try:
                self._process.wait(_STOPPED_S)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        if self._client is not None:
            self._client.close()
            self._client = None
        _end_keeper(self._run_root)
        shutil.rmtree(self._run_root, ignore_errors=True)
        if self._own_root:
            shutil.rmtree(self.root, ignore_errors=True)

    def _clear(self) -> None:
        for container in self.client.containers.list(all_=True):
            self.client.containers.remove(container.id, force=True, volumes=True)
        self.client.networks.prune()


def _end_keeper(run_root: Path) -> None:
    """The keeper outlives its daemon: it is ended by the number in its lock file, and awaited."""
    try:
        pid = int((run_root / "keeper.lock").read_text())
        handle = os.pidfd_open(pid)
    except (OSError, ValueError):
        return  # it never was, or is gone
    try:
        signal.pidfd_send_signal(handle, signal.SIGTERM)
        deadline = time.monotonic() + _STOPPED_S
        while time.monotonic() < deadline and Path(f"/proc/{pid}").exists():
            time.sleep(_GLANCE_S)
    except ProcessLookupError:
        pass
    finally:
        os.close(handle)


def engine(
    root: Path | None = None, *, images: Sequence[Path | str] = (), flags: Sequence[str] = ()
) -> Engine:
    """An engine for the length of a block.

        with knarr.engine(root=tmp_path) as engine:
            engine.client.containers.list()

    root: where its store and its log are kept, and stay; without one, nothing stays.
    images: archives to load first.  flags: more words for ``knarr daemon``.
    Raises KnarrError without root, and with its last words where it does not start.
    """
    return Engine(root, images, flags)
