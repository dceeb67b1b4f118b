"""Pulls that end in the middle: of the daemon, of the connection, of the registry."""

import random
import subprocess
import time
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

import pytest

from support.daemon import Daemon, running_daemon
from support.registry import Asked, FakeRegistry, Handler, digest_of, tar_of

pytestmark = pytest.mark.needs("docker", "namespaces", "overlay")
_PIECE = 64 << 10


def image(registry: FakeRegistry) -> list[bytes]:
    """Several layers that take a while on a connection that is not in a hurry."""
    chance = random.Random(1)
    tars = [tar_of({f"noise{n}": chance.randbytes(1_500_000)}) for n in range(4)]
    registry.put_image("team/app", "1", *tars)
    return tars


class Slow:
    """Serves blobs piece by piece, and hangs up where it is told to."""

    def __init__(self, registry: FakeRegistry, pause_s: float) -> None:
        self.registry, self.pause_s = registry, pause_s
        self.cut_after: list[int] = []
        registry.faults["/v2/team/app/blobs/"] = self.serve

    def serve(self, handler: Handler, asked: Asked) -> object:
        raw = self.registry.blobs[asked.path.rpartition("/")[2]]
        if len(raw) < _PIECE:
            return False
        start = int(asked.headers.get("Range", "bytes=0-")[6:-1])
        handler.send_response(206 if start else 200)
        handler.send_header("Content-Length", str(len(raw) - start))
        handler.send_header("Content-Range", f"bytes {start}-{len(raw) - 1}/{len(raw)}")
        handler.end_headers()
        left = self.cut_after.pop() if self.cut_after else len(raw)
        for position in range(start, len(raw), _PIECE):
            handler.wfile.write(raw[position : min(position + _PIECE, start + left)])
            if position + _PIECE > start + left:
                handler.cut()
                return None
            time.sleep(self.pause_s)
        return None


@pytest.fixture
def daemon() -> Iterator[Daemon]:
    with running_daemon() as running:
        yield running


def every_blob_is_right(daemon: Daemon) -> None:
    for path in (daemon.data_root / "blobs" / "sha256").iterdir():
        assert sha256(path.read_bytes()).hexdigest() == path.name
    for path in (daemon.data_root / "layers").glob("*/layer.tar"):
        if path.parent.name != "tmp":
            assert sha256(path.read_bytes()).hexdigest() == path.parent.name


def pull(daemon: Daemon, name: str) -> "subprocess.Popen[bytes]":
    return subprocess.Popen(
        ["docker", "pull", name], env=daemon.environment,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip


def kill_storm(daemon: Daemon, rounds: int) -> None:
    chance = random.Random(rounds)
    with FakeRegistry() as registry:
        tars = image(registry)
        Slow(registry, 0.004)
        name = f"{registry.host}/team/app:1"
        for _ in range(rounds):
            pulling = pull(daemon, name)
            time.sleep(chance.uniform(0.0, 0.35))
            daemon.kill()
            pulling.wait(30)
            every_blob_is_right(daemon)
            daemon.start()
            every_blob_is_right(daemon)
            if chance.random() < 0.3:
                daemon.docker("rmi", "-f", name)
        done = daemon.docker("pull", name)
        assert done.returncode == 0, done.stderr
        every_blob_is_right(daemon)
        layers = daemon.docker("image", "inspect", "-f", '{{join .RootFS.Layers " "}}', name)
        assert layers.stdout.split() == [digest_of(tar) for tar in tars]


def test_a_daemon_that_is_killed_goes_on_where_it_was(daemon: Daemon) -> None:
    with FakeRegistry() as registry:
        image(registry)
        Slow(registry, 0.02)
        name = f"{registry.host}/team/app:1"
        pulling = pull(daemon, name)
        partial = daemon.data_root / "blobs" / "partial"
        while not partial.exists() or not any(
            path.stat().st_size > 300_000 for path in partial.iterdir()
        ):
            time.sleep(0.01)
        daemon.kill()
        pulling.wait(30)
        before = len(registry.asked)
        daemon.start()
        done = daemon.docker("pull", name)
        assert done.returncode == 0, done.stderr
        ranges = [each.headers.get("Range") for each in registry.asked[before:]]
        assert any(ranges), "nothing was gone on with"
        every_blob_is_right(daemon)


def test_ctrl_c_leaves_nothing_half_made(daemon: Daemon) -> None:
    with FakeRegistry() as registry:
        image(registry)
        Slow(registry, 0.02)
        name = f"{registry.host}/team/app:1"
        pulling = pull(daemon, name)
        time.sleep(0.4)
        pulling.terminate()
        pulling.wait(10)
        end = time.monotonic() + 5
        while list((daemon.data_root / "layers" / "tmp").iterdir()) and time.monotonic() < end:
            time.sleep(0.02)
        assert list((daemon.data_root / "layers" / "tmp").iterdir()) == []
        assert daemon.docker("images", "-q").stdout == ""
        every_blob_is_right(daemon)
        done = daemon.docker("pull", name)
        assert done.returncode == 0, done.stderr


def test_connections_that_break_at_random_points(daemon: Daemon) -> None:
    chance = random.Random(3)
    with FakeRegistry() as registry:
        image(registry)
        slow = Slow(registry, 0.0)
        slow.cut_after = [chance.randrange(1_200_000) for _ in range(6)]
        done = daemon.docker("pull", f"{registry.host}/team/app:1")
        assert done.returncode == 0, done.stderr
        every_blob_is_right(daemon)


@pytest.mark.long
def test_a_storm_of_kills(daemon: Daemon) -> None:
    kill_storm(daemon, 30)


def test_a_few_kills(daemon: Daemon) -> None:
    kill_storm(daemon, 3)


@pytest.mark.long
def test_a_registry_that_dies_thirty_times(daemon: Daemon, tmp_path: Path) -> None:
    """Its port is refused for a while, then it is back: the next pull ends well."""
    chance = random.Random(4)
    for _ in range(30):
        with FakeRegistry() as registry:
            tars = image(registry)
            Slow(registry, 0.003)
            name = f"{registry.host}/team/app:1"
            pulling = pull(daemon, name)
            time.sleep(chance.uniform(0.0, 0.3))
            blobs, manifests = registry.blobs, registry.manifests
        pulling.terminate()
        pulling.wait(30)
        every_blob_is_right(daemon)
        with FakeRegistry(blobs=blobs, manifests=manifests) as again:
            name = f"{again.host}/team/app:1"
            done = daemon.docker("pull", name)
            assert done.returncode == 0, done.stderr
            daemon.docker("rmi", name)
        assert len(tars) == 4
        every_blob_is_right(daemon)
