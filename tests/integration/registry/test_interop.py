"""Every registry with every client: who pushed and who pulls makes no difference to a digest.

Registries: Debian's and ours, open and guarded. Clients: knarr, skopeo, podman, Docker 20.10.
"""

import asyncio
import hashlib
import json
import os
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import pytest

from integration.registry.conftest import Desk
from knarr.spec.docker.auth import AuthConfig
from support.dockerd import Docker, private_dockerd
from support.jwt_tokens import docker_registry_with_tokens
from support.parcels import parcel, push
from support.peers import (
    ANNA,
    Account,
    docker_registry,
    oci_layout,
)
from support.registry import tar_of
from support.server import our_registry

pytestmark = pytest.mark.needs(
    "docker-registry", "htpasswd", "openssl", "skopeo", "podman", "dockerd", "docker"
)
TARS = (tar_of({"etc/motd": b"ahoy\n"}), tar_of({"usr/share/x": b"x" * 200_000}))


class Tool(Protocol):
    """A client: pushes an image of its own, and pulls; both tell the image's ID."""

    name: str

    def push(self, target: str, account: Account | None) -> str: ...

    def pull(self, source: str, account: Account | None) -> str: ...


def run(*argv: str, **environ: str) -> str:
    done = subprocess.run(
        argv, capture_output=True, text=True, check=False, env={**os.environ, **environ}
    )
    assert done.returncode == 0, f"{argv}: {done.stderr}"
    return done.stdout.strip()


def creds(account: Account | None, flag: str) -> list[str]:
    return [flag, f"{account.username}:{account.password}"] if account else []


@dataclass
class Knarr:
    folder: Path
    name: str = "knarr"
    rounds: int = 0

    def _desk(self) -> Desk:
        self.rounds += 1
        root = self.folder / str(self.rounds)
        (root / "certs.d").mkdir(parents=True)
        return Desk(root=root, certificates=root / "certs.d")

    def push(self, target: str, account: Account | None) -> str:
        async def work() -> str:
            desk = self._desk()
            image = parcel(desk.blobs, *TARS)
            await push(desk, target, image, self._login(account))
            await desk.close()
            return image.configs[0].digest

        return asyncio.run(work())

    def pull(self, source: str, account: Account | None) -> str:
        async def work() -> str:
            desk = self._desk()
            found = await desk.pull(source, self._login(account))
            assert {hashlib.sha256(tar).hexdigest() for tar in desk.layers.tars.values()}
            await desk.close()
            return found.image.id

        return asyncio.run(work())

    def _login(self, account: Account | None) -> AuthConfig | None:
        if account is None:
            return None
        return AuthConfig(username=account.username, password=account.password)


@dataclass
class Skopeo:
    folder: Path
    name: str = "skopeo"
    rounds: int = 0

    def push(self, target: str, account: Account | None) -> str:
        layout = self.folder / "layout"
        if not layout.exists():
            oci_layout(layout, *TARS)
        run("skopeo", "--insecure-policy", "copy", "--dest-tls-verify=false",
            *creds(account, "--dest-creds"), f"oci:{layout}:1", f"docker://{target}")  # fmt: skip
        return self._id(layout)

    def pull(self, source: str, account: Account | None) -> str:
        self.rounds += 1
        layout = self.folder / str(self.rounds)
        run("skopeo", "--insecure-policy", "copy", "--src-tls-verify=false",
            *creds(account, "--src-creds"), f"docker://{source}", f"dir:{layout}")  # fmt: skip
        manifest = json.loads((layout / "manifest.json").read_text())
        return str(manifest["config"]["digest"])

    def _id(self, layout: Path) -> str:
        entry = json.loads((layout / "index.json").read_text())["manifests"][0]
        blob = layout / "blobs/sha256" / entry["digest"].removeprefix("sha256:")
        return str(json.loads(blob.read_text())["config"]["digest"])


@dataclass
class Podman:
    folder: Path
    name: str = "podman"

    def push(self, target: str, account: Account | None) -> str:
        self._imported(target)
        self("push", "--tls-verify=false", *creds(account, "--creds"), target)
        return self._id(target)

    def pull(self, source: str, account: Account | None) -> str:
        self("rmi", "-af")
        self("pull", "-q", "--tls-verify=false", *creds(account, "--creds"), source)
        return self._id(source)

    def _imported(self, name: str) -> None:
        tar = self.folder / "podman.tar"
        tar.write_bytes(TARS[0])
        self("import", str(tar), name)

    def _id(self, name: str) -> str:
        return "sha256:" + self("image", "inspect", "-f", "{{.Id}}", name)

    def __call__(self, *argv: str) -> str:
        folder = self.folder
        return run("podman", "--root", f"{folder}/root", "--runroot", f"{folder}/run",
                   "--storage-driver", "vfs", "--events-backend", "none", *argv)  # fmt: skip


@dataclass
class RealDocker:
    docker: Docker
    folder: Path
    name: str = "docker"
    logged_in: set[str] = field(default_factory=set)

    def push(self, target: str, account: Account | None) -> str:
        self.docker("import", "-", target, given=TARS[1])
        identity = self._id(target)
        self._with_login(target, account, "push", target)
        return identity

    def pull(self, source: str, account: Account | None) -> str:
        self.docker("rmi", "-f", source, check=False)
        self._with_login(source, account, "pull", source)
        return self._id(source)

    def _with_login(self, name: str, account: Account | None, *argv: str) -> None:
        config = self.folder / ("config-" + name.partition("/")[0])
        config.mkdir(exist_ok=True)
        argv = ("--config", str(config), *argv)
        if account and str(config) not in self.logged_in:
            self.logged_in.add(str(config))
            self.docker(
                "--config", str(config), "login", "-u", account.username, "--password-stdin",
                name.partition("/")[0], given=account.password.encode(),
            )  # fmt: skip
        done = self.docker(*argv, check=False)
        assert done.returncode == 0, done.stderr.decode()

    def _id(self, name: str) -> str:
        return self.docker.text("image", "inspect", "-f", "{{.Id}}", name).strip()


@pytest.fixture(scope="module")
def tools(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Tool]]:
    folder = tmp_path_factory.mktemp("tools")
    for name in ("knarr", "skopeo", "podman", "docker"):
        (folder / name).mkdir()
    with private_dockerd(folder / "docker") as docker:
        yield [
            Knarr(folder / "knarr"),
            Skopeo(folder / "skopeo"),
            Podman(folder / "podman"),
            RealDocker(docker, folder / "docker"),
        ]


REGISTRIES = {
    "debian-open": lambda folder: docker_registry(folder),
    "debian-htpasswd": lambda folder: docker_registry(folder, ANNA),
    "debian-tokens": lambda folder: docker_registry_with_tokens(folder, ANNA),
    "knarr-open": lambda folder: our_registry(folder, None),
    "knarr-htpasswd": lambda folder: our_registry(folder, ANNA),
    "knarr-tokens": lambda folder: our_registry(folder, ANNA, "--tokens"),
}


@pytest.mark.parametrize("kind", REGISTRIES)
def test_what_one_pushes_all_pull(kind: str, tools: list[Tool], tmp_path: Path) -> None:
    account = None if kind.endswith("open") else ANNA
    with REGISTRIES[kind](tmp_path) as host:
        for pusher in tools:
            name = f"{host}/from/{pusher.name}:1"
            pushed = pusher.push(name, account)
            pulled = {tool.name: tool.pull(name, account) for tool in tools}
            assert pulled == dict.fromkeys(pulled, pushed), f"{pusher.name} to {kind}"
