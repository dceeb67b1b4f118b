"""The three text files that the engine writes for a container: hosts, hostname, resolv.conf."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from knarr.container.facts import HOST_ROOT
from knarr.container.links import Linked
from knarr.container.model import Container
from knarr.container.runtime_mounts import NetworkFiles
from knarr.container.turns import port_group
from knarr.network import (
    Member,
    Plugged,
    ResolvConf,
    Wishes,
    default_network_text,
    host_hosts_text,
    host_network_text,
    hosts_text,
    own_network_text,
)
from knarr.network.resolv import HOST_FILE, RESOLVED_FILE
from knarr.spec.docker.container import HostConfig

_NAMES: Final = ("hosts", "hostname", "resolv.conf")


def member_of(container: Container) -> Member:
    """The container as far as networks care."""
    config = container.record.config
    return Member(
        id=container.id,
        name=container.name,
        hostname=config.hostname,
        domainname=config.domainname,
        dns_servers=container.record.host.dns,
        group=port_group(config.labels),
    )


def files_in(folder: Path) -> NetworkFiles:
    """Where the files of a container are, whether they are written yet or not."""
    hosts, hostname, resolv = (str(folder / name) for name in _NAMES)
    return NetworkFiles(hosts=hosts, hostname=hostname, resolv_conf=resolv)


def write_files(
    folder: Path,
    member: Member,
    host: HostConfig,
    plugged: Plugged,
    gateways: tuple[str, ...],
    links: Sequence[Linked] = (),
    owner: tuple[int, int] | None = None,
) -> NetworkFiles:
    """Write all three anew, in place: a running container that has them mounted sees the change.

    gateways: what ``host-gateway`` stands for. owner: a root that is not the host's.
    """
    texts = (
        _hosts(member, host, plugged, gateways, links),
        f"{member.hostname}\n" if member.hostname else "",
        _resolv_conf(host, plugged),
    )
    for name, text in zip(_NAMES, texts, strict=True):
        _write(folder / name, text, owner or HOST_ROOT)
    return files_in(folder)


def _write(path: Path, text: str, owner: tuple[int, int]) -> None:
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o644)
    try:
        os.write(handle, text.encode())
        facts = os.fstat(handle)
        if (facts.st_uid, facts.st_gid) != owner:  # of a run before, perhaps with other users
            os.fchown(handle, *owner)
    finally:
        os.close(handle)


def _hosts(
    member: Member,
    host: HostConfig,
    plugged: Plugged,
    gateways: tuple[str, ...],
    links: Sequence[Linked],
) -> str:
    if host.network_mode == "host":
        text = Path("/etc/hosts").read_text()
        return host_hosts_text(text, extra=host.extra_hosts, gateways=gateways)
    return hosts_text(
        member,
        plugged,
        extra=host.extra_hosts,
        gateways=gateways,
        links=[(each.address, each.names) for each in links],
    )


def _resolv_conf(host: HostConfig, plugged: Plugged) -> str:
    wishes = Wishes(servers=host.dns, search=host.dns_search, options=host.dns_options)
    of_host = host_resolv_conf()
    if host.network_mode == "host":
        return host_network_text(of_host, wishes)
    if set(plugged.networks) - {"bridge", "none"}:
        return own_network_text(of_host, wishes)
    return default_network_text(of_host, wishes)


def host_resolv_conf() -> ResolvConf:
    """The host's own; behind systemd-resolved's stub what the stub stands for."""
    found = _parsed(HOST_FILE)
    return _parsed(RESOLVED_FILE) if found.is_stub else found


def _parsed(path: str) -> ResolvConf:
    try:
        return ResolvConf.parse(Path(path).read_text(errors="replace"))
    except OSError:
        return ResolvConf()
