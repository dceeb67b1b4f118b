"""A daemon of the tests' own, as a process, with roots of its own."""

import contextlib
import http.client
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

_READY_SECONDS = 30.0


@dataclass
class Daemon:
    """Start it, kill it, start it again: the roots stay until ``clean``."""

    folder: Path
    settings: Mapping[str, str] = field(default_factory=dict)
    flags: tuple[str, ...] = ()
    before: tuple[str, ...] = ()  # the daemon's command: a program that becomes it
    process: "subprocess.Popen[bytes] | None" = None

    @property
    def data_root(self) -> Path:
        return self.folder / "data"

    @property
    def run_root(self) -> Path:
        return self.folder / "run"

    @property
    def socket(self) -> Path:
        return self.run_root / "knarr.sock"

    @property
    def host(self) -> str:
        return f"unix://{self.socket}"

    @property
    def log(self) -> Path:
        return self.folder / "daemon.log"

    @property
    def environment(self) -> dict[str, str]:
        """For clients of every kind: they find this daemon and no configuration of a person's."""
        return {
            **os.environ,
            "DOCKER_HOST": self.host,
            "KNARR_HOST": self.host,
            "KNARR_RUN_ROOT": str(self.run_root),
            "KNARR_DATA_ROOT": str(self.data_root),
            "DOCKER_CONFIG": str(self.folder / "client"),
            "DOCKER_BUILDKIT": "0",
            **self.settings,
        }

    def start(self) -> None:
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [
                    *self.before, sys.executable, "-m", "knarr", "daemon",
                    "--data-root", str(self.data_root), "--run-root", str(self.run_root),
                    "-H", self.host, *self.flags,
                ],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=self.environment,
                start_new_session=True,
            )  # fmt: skip
        self.wait_until_ready()

    def wait_until_ready(self) -> None:
        assert self.process is not None
        deadline = time.monotonic() + _READY_SECONDS
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                raise AssertionError(f"the daemon ended:\n{self.log.read_text()}")
            with socket.socket(socket.AF_UNIX) as probe, contextlib.suppress(OSError):
                probe.connect(str(self.socket))
                return
            time.sleep(0.02)
        raise AssertionError(f"the daemon did not come up:\n{self.log.read_text()}")

    def kill(self) -> None:
        """SIGKILL, as the kernel's OOM killer would."""
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def stop(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            self.process.wait(30)

    def run(
        self, *argv: str, timeout: float = 60, **options: object
    ) -> "subprocess.CompletedProcess[str]":
        """A client program, its output as text."""
        result: subprocess.CompletedProcess[str] = subprocess.run(
            argv,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
            **options,  # type: ignore[call-overload]
        )
        return result

    def docker(
        self, *argv: str, timeout: float = 60, **options: object
    ) -> "subprocess.CompletedProcess[str]":
        """The real docker CLI."""
        return self.run("docker", *argv, timeout=timeout, **options)

    def knarr(
        self, *argv: str, timeout: float = 60, **options: object
    ) -> "subprocess.CompletedProcess[str]":
        """knarr's own CLI."""
        return self.run(sys.executable, "-m", "knarr", *argv, timeout=timeout, **options)

    def ask(self, method: str, target: str, body: object = None) -> Any:
        """The JSON that the engine's API answers; None where it has nothing to say."""
        status, answer = self.answer(method, target, body)
        assert status < 400, answer
        return json.loads(answer) if answer else None

    def answer(self, method: str, target: str, body: object = None) -> tuple[int, bytes]:
        """Status and body of an answer of any kind. body: sent as JSON."""
        connection = http.client.HTTPConnection("localhost", timeout=60)
        connection.sock = socket.socket(socket.AF_UNIX)
        connection.sock.connect(str(self.socket))
        with contextlib.closing(connection):
            if body is None:
                connection.request(method, target)
            else:
                head = {"Content-Type": "application/json"}
                connection.request(method, target, json.dumps(body), head)
            answer = connection.getresponse()
            return answer.status, answer.read()

    def clean(self) -> None:
        """Remove containers and networks, end daemon and keeper, and delete the roots."""
        if self.process is not None and self.process.poll() is None:
            ids = self.docker("ps", "-aq", "--no-trunc").stdout.split()
            if ids:
                self.docker("rm", "-f", *ids)
            self.docker("network", "prune", "-f")
            self.stop()
        end_keeper(self.run_root)
        shutil.rmtree(self.folder, ignore_errors=True)


def end_keeper(run_root: Path) -> None:
    """End the keeper that outlived its daemon, by the pid in its lock file."""
    with contextlib.suppress(FileNotFoundError, ProcessLookupError, ValueError):
        os.kill(int((run_root / "keeper.lock").read_text()), signal.SIGTERM)


@contextmanager
def running_daemon(*flags: str, before: tuple[str, ...] = (), **settings: str) -> Iterator[Daemon]:
    """A daemon for the length of a block; its log is shown when the block fails."""
    folder = Path(tempfile.mkdtemp(prefix="knarr-test-"))
    folder.chmod(0o711)  # as /var/lib and /run: root in a container may be nobody outside
    daemon = Daemon(folder, settings, flags, before)
    try:
        daemon.start()
        yield daemon
    except BaseException:
        print(daemon.log.read_text()[-20_000:])
        raise
    finally:
        daemon.clean()
