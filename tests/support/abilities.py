"""Probes that try an ability for real; each answers None, or the reason why it is missing."""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path

Probe = Callable[[], str | None]


def peer(path: str) -> Path:
    """Where `make setup-test` keeps other people's programs from the package index."""
    return Path(os.environ.get("KNARR_PEERS") or Path(sys.prefix, "peers"), path)


def _tried(*argv: str) -> str | None:
    try:
        result = subprocess.run(argv, capture_output=True, text=True, timeout=30, check=False)
    except OSError as error:
        return str(error)
    return None if result.returncode == 0 else result.stderr.strip() or f"{argv[0]} failed"


def _root() -> str | None:
    return None if os.geteuid() == 0 else "not root"


def _namespaces() -> str | None:
    return _root() or _tried("unshare", "--mount", "--pid", "--net", "--uts", "--ipc", "-f", "true")


def _overlay() -> str | None:
    with tempfile.TemporaryDirectory() as folder:
        for name in ("lower", "upper", "work", "merged"):
            Path(folder, name).mkdir()
        options = f"lowerdir={folder}/lower,upperdir={folder}/upper,workdir={folder}/work"
        mount = f"mount -t overlay overlay -o {options} {folder}/merged"
        return _tried("unshare", "--mount", "sh", "-c", mount)


def _erofs() -> str | None:
    """Mounted from a plain file, by the driver's own probe; imported late: it needs root."""
    if (reason := _root()) is not None:
        return reason
    from knarr.snapshot import mountable

    with tempfile.TemporaryDirectory() as folder:
        found = mountable(Path(folder), Path(folder, "run"))
    return None if found else "this kernel mounts no EROFS from a file"


def _program(name: str) -> Probe:
    return lambda: None if shutil.which(name) else f"{name} is not installed"


def _compose_plugin() -> str | None:
    place = peer("compose/docker-compose")
    return None if place.exists() else f"{place} is not there: `make setup-test` puts it there"


def _client_libraries() -> str | None:
    lacks = [name for name in ("testcontainers", "aiodocker") if not peer(name).exists()]
    return f"{peer('')} has no {', '.join(lacks)}: run `make setup-test`" if lacks else None


def _journald() -> str | None:
    from support.journald import PROGRAM

    return _program("journalctl")() or _program(PROGRAM)()


def _dockerd() -> str | None:
    return _root() or _program("dockerd")()


ABILITIES: dict[str, Probe] = {
    "root": _root,
    "namespaces": _namespaces,
    "overlay": _overlay,
    "erofs": _erofs,
    "dockerd": _dockerd,
    "journald": _journald,
    "compose-plugin": _compose_plugin,
    "client-libraries": _client_libraries,
    **{
        name: _program(name)
        for name in (
            "busybox", "iptables", "crun", "runc", "nft", "docker", "podman", "skopeo",
            "mmdebstrap", "docker-registry", "tmux", "git", "htpasswd", "openssl", "bash", "zsh",
            "fish", "ufw", "firewalld", "mkfs.btrfs", "mkfs.ext4",
            "docker-compose",
        )
    },
}  # fmt: skip


@cache
def lacking(ability: str) -> str | None:
    """Why the machine cannot do ``ability``, or None when it can."""
    return ABILITIES[ability]()
