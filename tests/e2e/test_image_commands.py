"""docker's command line and knarr's on knarr's engine: image commands that 20.10 does not have.

Both talk to the same engine and the same registry, each with a configuration folder of its own;
what they print, and the files that they leave, must be the same.
"""

import gzip
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from support import images
from support.daemon import Daemon, running_daemon
from support.peers import free_port

pytestmark = pytest.mark.needs("docker", "namespaces", "overlay", "busybox")


@dataclass
class Place:
    """An engine that serves a registry, with an image of two names in it."""

    daemon: Daemon
    registry: str

    def both(self, command: str, folder: Path) -> list[tuple[int, str, str]]:
        """What each client says: exit code, standard output, standard error."""
        words = command.replace("REG", self.registry).split()
        said = []
        for name, program in (("docker", ("docker",)), ("knarr", (sys.executable, "-m", "knarr"))):
            done = subprocess.run(
                [*program, *words],
                env={**self.daemon.environment, "DOCKER_CONFIG": str(folder / name)},
                capture_output=True,
                text=True,
                timeout=60,
                check=False,
            )
            said.append((done.returncode, done.stdout, _plain(done.stderr)))
        return said


def _plain(text: str) -> str:
    """Both programs' own names, and what each adds of the way to help."""
    text = re.sub(r"(See|Run) '(docker|knarr)[^\n]*\n", "", text)
    return re.sub(r"\b(docker|knarr)\b", "PROGRAM", text.strip())


@pytest.fixture(scope="module")
def place(busybox_archive: Path) -> Iterator[Place]:
    registry = f"127.0.0.1:{free_port()}"
    with running_daemon(KNARR_REGISTRY=registry) as daemon:
        good(daemon, "load", "-i", str(busybox_archive))
        for name in ("m/one:1", "m/one:2", "m/other:1"):
            good(daemon, "tag", "busybox", f"{registry}/{name}")
            good(daemon, "push", "-q", f"{registry}/{name}")
        layer = images.layer({"etc/motd": b"ahoy"})
        oci = images.oci_archive(
            (gzip.compress(layer, mtime=0),), images.document((layer,), {}),
            f"{registry}/m/oci:1", media="tar+gzip",
        )  # fmt: skip
        (daemon.folder / "oci.tar").write_bytes(oci)
        good(daemon, "load", "-i", str(daemon.folder / "oci.tar"))
        good(daemon, "push", "-q", f"{registry}/m/oci:1")
        good(daemon, "rmi", f"{registry}/m/oci:1")
        good(daemon, "rmi", f"{registry}/m/one:1", f"{registry}/m/one:2", f"{registry}/m/other:1")
        good(daemon, "run", "-d", "--name", "on", "busybox", "sleep", "1000")
        yield Place(daemon, registry)


def good(daemon: Daemon, *words: str) -> str:
    done = daemon.knarr(*words)
    assert done.returncode == 0, done.stderr
    return done.stdout


LOOKING = """\
images --tree
images --tree -a
images --tree busybox
images --tree nosuch
images --tree -q
images --tree --no-trunc
images --tree --digests
images --tree --format json
image inspect --platform linux/amd64 busybox
image inspect --platform linux/arm64 busybox
image inspect --platform nonsense busybox
history --platform nonsense busybox
rmi --platform nonsense busybox
push --platform nonsense busybox
history --platform linux/amd64 -q busybox
history --platform linux/arm64 busybox
save --platform linux/arm64 -o /tmp/never busybox
rmi --platform linux/arm64 busybox
manifest inspect --insecure REG/m/one:1
manifest inspect --insecure -v REG/m/one:1
manifest inspect --insecure REG/m/oci:1
manifest inspect --insecure -v REG/m/oci:1
manifest inspect --insecure REG/m/one:nosuch
manifest inspect --insecure REG/m/nosuch
manifest inspect BAD
manifest annotate REG/m/list:9 REG/m/one:1 --arch arm64
manifest push REG/m/list:9
manifest rm REG/m/list:9
manifest inspect REG/m/list:9 REG/m/one:1
"""
DOING = """\
manifest create --insecure REG/m/list:1 REG/m/one:1 REG/m/other:1
manifest create --insecure REG/m/list:1 REG/m/one:2
manifest create --insecure --amend REG/m/list:1 REG/m/one:2
manifest create --insecure REG/m/list:2 REG/m/nosuch
manifest annotate REG/m/list:1 REG/m/other:1 --arch arm64 --variant v8 --os-version 1
manifest annotate REG/m/list:1 REG/m/one:2 --os linux --os-features a,b
manifest annotate REG/m/list:1 REG/m/one:2 --arch bogus
manifest annotate REG/m/list:1 REG/m/one:2 --os bogus --arch amd64
manifest annotate REG/m/list:1 REG/m/nosuch --arch amd64
manifest inspect REG/m/list:1
manifest inspect -v REG/m/list:1
manifest inspect REG/m/list:1 REG/m/one:2
manifest inspect REG/m/list:1 REG/m/nosuch
manifest push --insecure REG/m/list:1
manifest push --insecure --purge REG/m/list:1
manifest push --insecure REG/m/list:1
manifest inspect --insecure REG/m/list:1
manifest inspect --insecure -v REG/m/list:1
manifest create --insecure REG/m/list:3 REG/m/one:1
manifest rm REG/m/list:3 REG/m/list:4
manifest create --insecure REG/m/oci-list:1 REG/m/oci:1 REG/m/one:1
manifest inspect REG/m/oci-list:1
manifest inspect -v REG/m/oci-list:1
manifest push --insecure REG/m/oci-list:1
manifest inspect --insecure REG/m/oci-list:1
manifest inspect --insecure -v REG/m/oci-list:1
manifest create --insecure REG/m/list:5 REG/m/oci-list:1
"""


@pytest.mark.parametrize("command", LOOKING.splitlines())
def test_a_command_says_what_docker_says(place: Place, tmp_path: Path, command: str) -> None:
    docker, knarr = place.both(command, tmp_path)
    assert knarr == docker


def test_lists_of_manifests_are_made_pushed_and_kept_as_docker_does(
    place: Place, tmp_path: Path
) -> None:
    for command in DOING.splitlines():
        docker, knarr = place.both(command, tmp_path)
        assert knarr == docker, command
        assert _files(tmp_path / "knarr") == _files(tmp_path / "docker"), command


def _files(folder: Path) -> dict[str, str]:
    found = (folder / "manifests").rglob("*")
    return {str(each.relative_to(folder)): each.read_text() for each in found if each.is_file()}


def test_images_tell_of_their_platforms_on_request(place: Place) -> None:
    listed = place.daemon.docker("images", "--tree").stdout
    assert "└─ linux/amd64" in listed


def test_explanations_of_disk_use(place: Place) -> None:
    daemon = place.daemon
    explained = good(daemon, "image", "ls", "--explain", "busybox")
    assert explained.startswith("busybox:latest  ")
    assert "against it stands container on" in explained
    verbose = good(daemon, "system", "df", "-v")
    assert "\nShared layers:\n" in verbose
    assert "\nWhat would be freed:\n" in verbose


def test_images_shown_and_compared(place: Place, tmp_path: Path) -> None:
    daemon = place.daemon
    layer = images.busybox_layer()
    change = images.layer({"etc/passwd": b"changed\n", ".wh.home": b"", "new": b"n"})
    config = images.document((layer, change), {"Cmd": ["sh"], "Env": ["X=1"]})
    archive = tmp_path / "two.tar"
    archive.write_bytes(images.docker_archive((layer, change), config, ("two:1",)))
    good(daemon, "load", "-i", str(archive))
    shown = good(daemon, "image", "show", "--files", "two:1")
    assert "  C /etc/passwd  8B\n" in shown
    assert "  D /home\n" in shown
    differ = daemon.knarr("image", "diff", "busybox", "two:1")
    assert differ.returncode == 1
    assert "D /home\n" in differ.stdout
    assert "A /new  (1B)\n" in differ.stdout
    assert "C /etc/passwd  (content, 71B → 8B)\n" in differ.stdout
    assert 'Env.X: nothing → "1"\n' in differ.stdout
    alike = daemon.knarr("image", "diff", "two:1", "two:1")
    assert alike.returncode == 0
    assert daemon.knarr("image", "show", "nosuch").returncode == 1
    good(daemon, "rmi", "two:1")
