"""Names for the container's /etc/hosts: ``name=address``; ``host-gateway`` is the host."""

from collections.abc import Mapping

from knarr.compose.attribute import Attribute, to_host
from knarr.compose.shape import Hosts


def entries(hosts: Mapping[str, list[str]]) -> tuple[str, ...]:
    return tuple(f"{name}:{address}" for name in sorted(hosts) for address in hosts[name])


EXTRA_HOSTS = Attribute(
    name="extra_hosts",
    shape=Hosts(),
    apply=to_host("extra_hosts", entries),
    source="Compose Specification, services, extra_hosts",
)
