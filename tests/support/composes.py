"""The Composes that there are, each on an engine, and what a project of theirs looks like there."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import knarr
from support.abilities import peer

OURS: Final = "com.docker.compose."


@dataclass(frozen=True, kw_only=True)
class Compose:
    """One program on one engine."""

    name: str
    argv: tuple[str, ...]
    environment: Mapping[str, str]

    def run(self, folder: Path, *words: str, timeout: float = 120) -> str:
        """Standard output. Raises AssertionError with all it said when it fails."""
        done = subprocess.run(
            [*self.argv, *words],
            cwd=folder,
            env={**self.environment, "PWD": str(folder)},
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )
        assert done.returncode == 0, f"{self.name} {words}: {done.stdout}{done.stderr}"
        return done.stdout


def knarrs(environment: Mapping[str, str], engine: str) -> Compose:
    argv = (sys.executable, "-m", "knarr", "compose")
    source = Path(knarr.__file__).parent.parent
    host = {"KNARR_HOST": environment["DOCKER_HOST"], "PYTHONPATH": str(source)}
    return Compose(name=f"knarr on {engine}", argv=argv, environment={**environment, **host})


def plugin(environment: Mapping[str, str]) -> Compose:
    return Compose(
        name="plug-in", argv=(str(peer("compose/docker-compose")),), environment=environment
    )


def classic(environment: Mapping[str, str]) -> Compose:
    """Debian's, in Python: 1.29."""
    return Compose(
        name="docker-compose 1.29", argv=("/usr/bin/docker-compose",), environment=environment
    )


def podmans(environment: Mapping[str, str]) -> Compose:
    words = Path(__file__).with_name("podman_words.py")
    program = ("-m", "podman_compose", "--in-pod", "false", "--podman-path", str(words))
    return Compose(
        name="podman-compose",
        argv=(sys.executable, *program),
        environment={**environment, "PYTHONPATH": str(peer(""))},
    )


def picture(environment: Mapping[str, str], project: str) -> dict[str, Any]:
    """All that is there of a project, by name: containers, networks, volumes."""

    def found(*words: str) -> list[dict[str, Any]]:
        mine = f"label={OURS}project={project}"
        names = _docker(environment, *words, "ls", "-q", *_ALL.get(words, ()), "--filter", mine)
        ids = names.split()
        return list(json.loads(_docker(environment, *words, "inspect", *ids))) if ids else []

    return {
        "containers": {_name(each["Name"]): _container(each) for each in found("container")},
        "networks": {each["Name"]: _network(each) for each in found("network")},
        "volumes": {each["Name"]: _volume(each) for each in found("volume")},
    }


_HEX: Final = re.compile("[0-9a-f]{64}")
_ALL: Final[dict[tuple[str, ...], tuple[str, ...]]] = {("container",): ("-a",)}
_HOST_CONFIG: Final = (
    "Dns", "DnsSearch", "ExtraHosts", "Init", "LogConfig", "Memory",
    "NanoCpus", "PidMode", "Privileged", "ReadonlyRootfs", "ShmSize", "Sysctls", "Tmpfs",
)  # fmt: skip
_CONFIG: Final = (
    "Cmd", "Domainname", "Entrypoint", "Healthcheck", "Image", "OpenStdin", "StopSignal",
    "StopTimeout", "Tty", "User", "WorkingDir",
)  # fmt: skip


def _name(name: str) -> str:
    return name.removeprefix("/").replace("_", "-")


def _container(told: Mapping[str, Any]) -> dict[str, Any]:
    config, host = told["Config"], told["HostConfig"]
    chosen = {
        **{key: config.get(key) or None for key in _CONFIG},
        **{key: host.get(key) or None for key in _HOST_CONFIG},
    }
    # Which names an engine adds by itself differs from release to release.
    own = {told["Id"][:12], told["Config"]["Hostname"], told["Name"][1:]}
    networks = {
        name: sorted(set(each["Aliases"] or []) - own)
        for name, each in told["NetworkSettings"]["Networks"].items()
    }
    labels = dict(config["Labels"])
    if labels.get(OURS + "image") == told["Image"]:
        labels[OURS + "image"] = "that of the container"
    return {
        **chosen,
        "state": told["State"]["Status"],
        "exit code": told["State"]["ExitCode"],
        "environment": sorted(config["Env"] or []),
        "capabilities": [_plain(host[key]) for key in ("CapAdd", "CapDrop")],
        "mounts": sorted(map(_mount, told["Mounts"])),
        "networks": networks,
        "ports": {
            port: [(each["HostIp"], each["HostPort"].strip("0")) for each in bindings]
            for port, bindings in (host["PortBindings"] or {}).items()
        },
        "restart": host["RestartPolicy"]["Name"] or "no",
        "ulimits": sorted(sorted(each.items()) for each in host["Ulimits"] or []),
        "labels": labels,
    }


def _plain(capabilities: list[str] | None) -> list[str]:
    return [each.removeprefix("CAP_") for each in capabilities or []]


def _mount(told: Mapping[str, Any]) -> tuple[str, ...]:
    name = told.get("Name", "")
    source = "anonymous" if _HEX.fullmatch(name) else name or told["Source"]
    return told["Type"], source, told["Destination"], "rw" if told["RW"] else "ro"


def _network(told: Mapping[str, Any]) -> dict[str, Any]:
    return {
        **{key: told[key] for key in ("Driver", "Internal", "EnableIPv6", "Options")},
        "labels": told["Labels"],
    }


def _volume(told: Mapping[str, Any]) -> dict[str, Any]:
    return {"driver": told["Driver"], "options": told["Options"] or {}, "labels": told["Labels"]}


def _docker(environment: Mapping[str, str], *words: str) -> str:
    done = subprocess.run(
        ["docker", *words],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout
