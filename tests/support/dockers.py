"""A dockerd of one's own, as an oracle: own folders, own socket, own network namespace."""

import json
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any


class Docker:
    """The `docker` CLI against that daemon."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.host = f"unix://{folder}/docker.sock"

    def __call__(self, *words: str | Path, stdin: bytes | None = None, check: bool = True) -> str:
        done = subprocess.run(
            ["docker", "-H", self.host, *map(str, words)],
            input=stdin,
            capture_output=True,
            check=False,
        )
        if check and done.returncode:
            raise AssertionError(f"docker {words}: {done.stderr.decode(errors='replace')}")
        return done.stdout.decode() + (done.stderr.decode() if done.returncode else "")

    def inspect(self, name: str) -> Any:
        return json.loads(self("inspect", name))[0]


@contextmanager
def docker_daemon() -> Iterator[Docker]:
    """Up in two seconds, gone at the end with all it made."""
    folder = Path(tempfile.mkdtemp(prefix="kndocker"))
    docker = Docker(folder)
    argv = [
        "unshare", "--net", "--mount", "--propagation", "slave", "--kill-child", "--fork",
        "dockerd", "-H", docker.host,
        "--data-root", folder / "data", "--exec-root", folder / "exec",
        "--pidfile", folder / "pid",
        "--bridge", "none", "--iptables=false", "--ip6tables=false",
    ]  # fmt: skip
    with (folder / "log").open("wb") as log:
        daemon = subprocess.Popen(list(map(str, argv)), stdout=log, stderr=log)
    try:
        _wait(docker, daemon)
        yield docker
    finally:
        pid = (folder / "pid").read_text() if (folder / "pid").exists() else ""
        if pid:
            os.kill(int(pid), 15)
        try:
            daemon.wait(20)
        except subprocess.TimeoutExpired:
            daemon.kill()
            daemon.wait()
        shutil.rmtree(folder, ignore_errors=True)


def _wait(docker: Docker, daemon: "subprocess.Popen[bytes]") -> None:
    for _ in range(100):
        if docker("version", "-f", "{{.Server.Version}}", check=False)[:1].isdigit():
            return
        if daemon.poll() is not None:
            break
        time.sleep(0.1)
    log = (docker.folder / "log").read_text(errors="replace")
    raise AssertionError(f"dockerd did not start: {log[-2000:]}")
