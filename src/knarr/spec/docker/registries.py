"""How registries are reached: the part of the daemon's configuration that is about them.

``registry-mirrors`` and ``insecure-registries`` are Docker's; ``registries`` is one table for every
registry, with the words of containers-registries.conf(5).
"""

from typing import Literal

import msgspec

from knarr.spec.document import SnakeDocument


class Mirror(SnakeDocument):
    """A place that is asked before the registry itself, for pulls alone.

    location: ``HOST[:PORT][/PREFIX]``, in the place of the rule's prefix.
    pull: which pulls it is asked for; a tag may be stale in a mirror, a digest never is.
    """

    location: str
    insecure: bool = False
    pull: Literal["all", "digest-only", "tag-only"] = "all"


class RegistryRule(SnakeDocument):
    """What holds for all names under a prefix; the longest prefix that matches wins.

    prefix: ``docker.io``, ``ghcr.io/owner``, ``*.example.com``.
    location: where these names really are; the prefix is replaced by it.
    insecure: plain HTTP and certificates that nobody vouches for are accepted.
    """

    prefix: str
    location: str = ""
    insecure: bool = False
    blocked: bool = False
    mirrors: tuple[Mirror, ...] = ()


class RegistrySettings(SnakeDocument):
    """insecure_registries: hosts (with port) or networks in CIDR form."""

    registries: tuple[RegistryRule, ...] = ()
    registry_mirrors: tuple[str, ...] = msgspec.field(name="registry-mirrors", default=())
    insecure_registries: tuple[str, ...] = msgspec.field(name="insecure-registries", default=())
