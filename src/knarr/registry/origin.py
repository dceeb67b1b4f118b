"""Who is talked to, and where a registry may send its caller: the rules for redirects.

Pure. A registry answers with URLs (redirects, upload locations, token servers); each is judged here
before anything is sent to it.
"""

import ipaddress
from dataclasses import dataclass
from typing import Final
from urllib.parse import urljoin, urlsplit, urlunsplit

from knarr.errors import Forbidden
from knarr.registry.table import host_name, is_loopback

_PORTS: Final = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """Scheme, host and port: what credentials belong to."""

    scheme: str
    host: str
    port: int

    @property
    def is_loopback(self) -> bool:
        return is_loopback(self.host)

    def __str__(self) -> str:
        return f"{self.scheme}://{self.host}:{self.port}"


def origin_of(url: str) -> Origin:
    """The origin of an absolute URL. Raises Forbidden unless it is plain http or https."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise Forbidden("a registry sent an address that cannot be read") from None
    if parts.scheme not in _PORTS or not parts.hostname:
        raise Forbidden(
            f"a registry may not send its caller to a {parts.scheme or 'bare'}: address"
        )
    if parts.username is not None or parts.password is not None:
        raise Forbidden("a registry may not send its caller to an address with a login in it")
    return Origin(scheme=parts.scheme, host=parts.hostname, port=port or _PORTS[parts.scheme])


def checked_target(source: str, target: str, *, insecure: bool) -> str:
    """The absolute URL which ``source`` refers to as ``target``, when it may be followed.

    insecure: the registry is one for which plain HTTP will do.
    Raises Forbidden for other schemes than http and https, for a step from https down to http, and
    for a step from outside to this machine itself or to a link-local address.
    """
    try:
        absolute = urljoin(source, target)
    except ValueError:
        raise Forbidden("a registry sent an address that cannot be read") from None
    before, after = origin_of(source), origin_of(absolute)
    if before.scheme == "https" and after.scheme == "http" and not insecure:
        raise Forbidden(f"{before.host} may not send its caller from https to http")
    if not before.is_loopback and is_private_to_machine(after.host):
        raise Forbidden(f"{before.host} may not send its caller to {after.host}")
    return absolute


def is_private_to_machine(host: str) -> bool:
    """Whether the address reaches services that are meant for this machine alone."""
    if is_loopback(host):
        return True
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return False
    inner = getattr(address, "ipv4_mapped", None) or address
    return bool(inner.is_loopback or inner.is_link_local or inner.is_unspecified)


def same_origin(one: str, other: str) -> bool:
    return origin_of(one) == origin_of(other)


def shown(url: str) -> str:
    """The URL for a message: without its query, which may carry a signature."""
    parts = urlsplit(url)
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))


__all__ = [
    "Origin", "checked_target", "host_name", "is_private_to_machine", "origin_of", "same_origin",
    "shown",
]  # fmt: skip
