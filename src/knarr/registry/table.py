"""Where a name is to be found: the one table of mirrors, rewrites, insecure and blocked registries.

Pure. Used alike by pull, push, build and search.
"""

import ipaddress
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from knarr.errors import Forbidden, InvalidArgument
from knarr.reference import DEFAULT_DOMAIN, Reference
from knarr.spec.docker.registries import Mirror, RegistryRule, RegistrySettings

HUB_HOST: Final = "registry-1.docker.io"
"""The machine behind the name ``docker.io``."""

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """One place to ask for a repository.

    host: with its port, where one is given.
    domain: whose login may be shown there: the registry's own name, a mirror's host.
    insecure: HTTPS without verification, then plain HTTP, are accepted.
    """

    host: str
    repository: str
    domain: str
    insecure: bool = False
    mirror: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistryTable:
    """All that is configured about registries."""

    rules: tuple[RegistryRule, ...] = ()
    insecure_hosts: frozenset[str] = frozenset()
    insecure_networks: tuple[Network, ...] = ()

    def pull_endpoints(self, reference: Reference) -> tuple[Endpoint, ...]:
        """Where to look, in this order. Raises Forbidden when it is blocked and has no mirror."""
        rule = self._rule(reference)
        mirrors = (
            self._located(reference, rule, mirror.location, insecure=mirror.insecure, mirror=True)
            for mirror in rule.mirrors
            if _serves(mirror, reference)
        )
        if rule.blocked and (reachable := tuple(mirrors)):
            return reachable
        return (*mirrors, self.push_endpoint(reference))

    def push_endpoint(self, reference: Reference) -> Endpoint:
        """Where it really lives: mirrors are never written to. Raises Forbidden when blocked."""
        rule = self._rule(reference)
        if rule.blocked:
            raise Forbidden(f"registry {rule.prefix} is blocked by this engine's configuration")
        return self._located(reference, rule, rule.location, insecure=rule.insecure, mirror=False)

    def host_endpoint(self, domain: str) -> Endpoint:
        """A registry as such, without a repository: for a login, a search, its catalog."""
        anything = Reference(domain=domain, path="")
        rule = self._rule(anything)
        if rule.blocked:
            raise Forbidden(f"registry {rule.prefix} is blocked by this engine's configuration")
        host = (rule.location or domain).partition("/")[0]
        return self._endpoint(host, "", domain, insecure=rule.insecure, mirror=False)

    def is_insecure(self, host: str) -> bool:
        """Whether plain HTTP will do: loopback always, and what is configured."""
        name = host_name(host)
        if host in self.insecure_hosts or name in self.insecure_hosts or is_loopback(name):
            return True
        address = _address(name)
        return address is not None and any(address in net for net in self.insecure_networks)

    def _rule(self, reference: Reference) -> RegistryRule:
        matching = [rule for rule in self.rules if _matches(rule.prefix, reference)]
        return max(
            matching,
            key=lambda rule: (not rule.prefix.startswith("*"), len(rule.prefix)),
            default=RegistryRule(prefix=reference.domain),
        )

    def _located(
        self,
        reference: Reference,
        rule: RegistryRule,
        location: str,
        *,
        insecure: bool,
        mirror: bool,
    ) -> Endpoint:
        if not location:
            host, repository = reference.domain, reference.path
        else:
            rest = "" if rule.prefix.startswith("*") else rule.prefix
            tail = reference.name.removeprefix(rest).lstrip("/") if rest else reference.path
            host, _, prefix = location.rstrip("/").partition("/")
            repository = "/".join(part for part in (prefix, tail) if part)
        domain = host if mirror or location else reference.domain
        return self._endpoint(host, repository, domain, insecure=insecure, mirror=mirror)

    def _endpoint(
        self, host: str, repository: str, domain: str, *, insecure: bool, mirror: bool
    ) -> Endpoint:
        return Endpoint(
            host=HUB_HOST if host == DEFAULT_DOMAIN else host,
            repository=repository,
            domain=domain,
            insecure=insecure or self.is_insecure(host),
            mirror=mirror,
        )


def table_of(settings: RegistrySettings) -> RegistryTable:
    """The table that a configuration means. Raises InvalidArgument where it means nothing."""
    hosts, networks = set(), []
    for entry in settings.insecure_registries:
        if "/" not in entry:
            hosts.add(entry)
            continue
        try:
            networks.append(ipaddress.ip_network(entry, strict=False))
        except ValueError:
            raise InvalidArgument(
                f"insecure registry {entry} is not valid: no host, no CIDR"
            ) from None
    return RegistryTable(
        rules=tuple(_with_hub_mirrors(settings)),
        insecure_hosts=frozenset(hosts),
        insecure_networks=tuple(networks),
    )


def _with_hub_mirrors(settings: RegistrySettings) -> Iterator[RegistryRule]:
    """Docker's ``registry-mirrors`` as mirrors of docker.io, after those of the table itself."""
    mirrors = tuple(_hub_mirror(url) for url in settings.registry_mirrors)
    hub_seen = False
    for rule in settings.registries:
        if rule.prefix == DEFAULT_DOMAIN:
            hub_seen = True
            yield RegistryRule(
                prefix=rule.prefix,
                location=rule.location,
                insecure=rule.insecure,
                blocked=rule.blocked,
                mirrors=rule.mirrors + mirrors,
            )
        else:
            yield rule
    if mirrors and not hub_seen:
        yield RegistryRule(prefix=DEFAULT_DOMAIN, mirrors=mirrors)


def _hub_mirror(url: str) -> Mirror:
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https"):
        raise InvalidArgument(f'invalid mirror: unsupported scheme "{parts.scheme}" in "{url}"')
    if parts.path.strip("/") or parts.query or parts.fragment:
        raise InvalidArgument(f'invalid mirror: path, query, or fragment at end of the URI "{url}"')
    if parts.username or parts.password or not parts.netloc:
        raise InvalidArgument("invalid mirror: username/password not allowed in URI")
    return Mirror(location=parts.netloc, insecure=parts.scheme == "http")


def _matches(prefix: str, reference: Reference) -> bool:
    if prefix.startswith("*."):
        return host_name(reference.domain).endswith(prefix[1:])
    whole = reference.name.rstrip("/")
    return whole == prefix or whole.startswith(prefix.rstrip("/") + "/")


def _serves(mirror: Mirror, reference: Reference) -> bool:
    return mirror.pull == "all" or (mirror.pull == "digest-only") == (reference.digest is not None)


def host_name(host: str) -> str:
    """Without the port and the brackets of an IPv6 address."""
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.rpartition(":")[0] if host.count(":") == 1 else host


def is_loopback(name: str) -> bool:
    """Whether a host name or address means this machine itself, going by its spelling."""
    address = _address(name)
    if address is None:
        return name == "localhost" or name.endswith(".localhost")
    return address.is_loopback


def _address(name: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(name)
    except ValueError:
        return None
