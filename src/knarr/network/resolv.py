"""resolv.conf: what the host's says, and what a container's shall say. Pure.

Source: resolv.conf(5).
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from ipaddress import ip_address
from typing import Final, Self

HOST_FILE: Final = "/etc/resolv.conf"
RESOLVED_FILE: Final = "/run/systemd/resolve/resolv.conf"  # what its stub at 127.0.0.53 stands for
OWN_SERVER: Final = "127.0.0.11"
_RESOLVED_STUB: Final = "127.0.0.53"
_PUBLIC: Final = ("8.8.8.8", "8.8.4.4")


@dataclass(frozen=True, slots=True, kw_only=True)
class ResolvConf:
    """Nameservers, search list and options, in their order."""

    nameservers: tuple[str, ...] = ()
    search: tuple[str, ...] = ()
    options: tuple[str, ...] = ()

    @classmethod
    def parse(cls, text: str) -> Self:
        """What the file means: the last ``search`` or ``domain`` counts, options add up."""
        nameservers: list[str] = []
        search: tuple[str, ...] = ()
        options: list[str] = []
        for line in text.splitlines():
            word, *rest = line.split() or [""]
            if word == "nameserver" and rest:
                nameservers.append(rest[0])
            elif word in {"search", "domain"}:
                search = tuple(rest)
            elif word == "options":
                options += rest
        return cls(nameservers=tuple(nameservers), search=search, options=tuple(options))

    @property
    def is_stub(self) -> bool:
        """Whether it only points to systemd-resolved's own server on this machine."""
        return self.nameservers == (_RESOLVED_STUB,)

    def render(self) -> str:
        lines = [f"nameserver {each}\n" for each in self.nameservers]
        if self.search and self.search != (".",):
            lines.append(f"search {' '.join(self.search)}\n")
        if self.options:
            lines.append(f"options {' '.join(self.options)}\n")
        return "".join(lines)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wishes:
    """``--dns``, ``--dns-search``, ``--dns-option``: each, if given, instead of the host's."""

    servers: tuple[str, ...] = ()
    search: tuple[str, ...] = ()
    options: tuple[str, ...] = ()

    def over(self, host: ResolvConf) -> ResolvConf:
        return ResolvConf(
            nameservers=self.servers or host.nameservers,
            search=self.search or host.search,
            options=self.options or host.options,
        )


def reachable(host: ResolvConf, *, ipv6: bool) -> ResolvConf:
    """The host's as seen from a namespace of one's own, where its loopback is another.

    ipv6: whether the container can reach IPv6 servers.
    """
    servers = tuple(each for each in host.nameservers if _is_reachable(each, ipv6=ipv6))
    return replace(host, nameservers=servers or _PUBLIC)


def _is_reachable(server: str, *, ipv6: bool) -> bool:
    try:
        address = ip_address(server)
    except ValueError:
        return False
    return not address.is_loopback and (address.version == 4 or ipv6)


def own_network_text(host: ResolvConf, wishes: Wishes) -> str:
    """For user-defined networks: everything is asked of the engine's own server."""
    told = wishes.over(host)
    options = told.options
    if not any(option.startswith("ndots:") for option in options):
        options = (*options, "ndots:0")
    return replace(told, nameservers=(OWN_SERVER,), options=options).render()


def default_network_text(host: ResolvConf, wishes: Wishes, *, ipv6: bool = False) -> str:
    """For the default bridge: the host's servers, or those wished for."""
    return wishes.over(reachable(host, ipv6=ipv6)).render()


def host_network_text(host: ResolvConf, wishes: Wishes) -> str:
    """For ``--network host``: loopback is the host's own, so all is as there."""
    return wishes.over(host).render()


def forwarders(host: ResolvConf, servers: Sequence[str]) -> tuple[str, ...]:
    """Where the engine's server forwards to. It asks from the host: loopback is fine there."""
    return tuple(servers) or host.nameservers or _PUBLIC
