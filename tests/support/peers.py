"""Other people's registries and clients, started privately on loopback and stopped again."""

import json
import os
import shutil
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_START_S: Final = 15.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    username: str
    password: str


ANNA: Final = Account(username="anna", password="correct horse")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def htpasswd(account: Account) -> str:
    """A line of an htpasswd file with bcrypt, as Apache's own tool writes it."""
    argv = ["htpasswd", "-nbB", "-C", "5", account.username, account.password]
    return subprocess.run(argv, capture_output=True, text=True, check=True).stdout.strip() + "\n"


@contextmanager
def docker_registry(folder: Path, account: Account | None = None) -> Iterator[str]:
    """Debian's ``docker-registry``; its host and port."""
    port = free_port()
    lines = [
        "version: 0.1",
        "log: {level: error, accesslog: {disabled: true}}",
        f"storage: {{filesystem: {{rootdirectory: {folder}/storage}}, delete: {{enabled: true}}}}",
        f"http: {{addr: '127.0.0.1:{port}'}}",
    ]
    if account:
        (folder / "htpasswd").write_text(htpasswd(account))
        lines.append(f"auth: {{htpasswd: {{realm: test, path: {folder}/htpasswd}}}}")
    config = folder / "config.yml"
    config.write_text("\n".join(lines) + "\n")
    with running("docker-registry", "serve", str(config)):
        answering(f"http://127.0.0.1:{port}/v2/")
        yield f"127.0.0.1:{port}"


@contextmanager
def running(
    *argv: str, log: Path | None = None, **environ: str
) -> Iterator[subprocess.Popen[bytes]]:
    """A program for the length of a block; ended by its process ID."""
    with open(log or os.devnull, "wb") as output:
        process = subprocess.Popen(
            argv,
            stdout=output,
            stderr=output,
            env={**os.environ, **environ},
            start_new_session=True,
        )
        try:
            yield process
        finally:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def answering(url: str) -> None:
    """Wait until somebody answers there, whatever the answer."""
    end = time.monotonic() + _START_S
    while True:
        try:
            urllib.request.urlopen(url, timeout=2).close()
        except urllib.error.HTTPError as error:
            error.close()
        except OSError:
            if time.monotonic() > end:
                raise
            time.sleep(0.02)
            continue
        return


def skopeo(*argv: str, check: bool = True) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["skopeo", "--insecure-policy", *argv], capture_output=True, text=True, check=check
    )


def oci_layout(folder: Path, *tars: bytes) -> Path:
    """An image of these layers as an OCI layout on disk, for tools that copy from one."""
    from support.registry import FakeRegistry

    source = FakeRegistry()
    source.put_image("app", "1", *tars)
    blobs = folder / "blobs" / "sha256"
    blobs.mkdir(parents=True)
    media_type, raw = source.manifests["app/1"]
    for digest, content in {**source.blobs, source.put_blob(raw)["digest"]: raw}.items():
        (blobs / digest.removeprefix("sha256:")).write_bytes(content)
    entry = {"mediaType": media_type, **source.put_blob(raw)}
    entry["annotations"] = {"org.opencontainers.image.ref.name": "1"}
    (folder / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": [entry]}))
    (folder / "oci-layout").write_text('{"imageLayoutVersion":"1.0.0"}')
    return folder


def installed(*names: str) -> bool:
    return all(shutil.which(name) for name in names)
