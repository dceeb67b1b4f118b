"""Host ports and names that containers share: knarr's own, other engines answer NotFound."""

from __future__ import annotations

from knarr.client.call import Call, path, query
from knarr.client.lean import TYPE_CHECKING

if TYPE_CHECKING:
    from knarr.spec.docker.shared_ports import ContainerTurn, Drained, SharedPort


def shared() -> Call[tuple[SharedPort, ...]]:
    """Who is behind which port."""
    return Call("GET", "/knarr/ports")


def turns() -> Call[tuple[ContainerTurn, ...]]:
    """Who of those that may share something gets new connections."""
    return Call("GET", "/knarr/turns")


def drain(ref: str, *, timeout: int) -> Call[Drained]:
    """Let others have new connections, and wait until the container has none."""
    return Call("POST", path("knarr", "containers", ref, "drain"), query(t=timeout))


def admit(ref: str) -> Call[None]:
    """Take ``drain`` back."""
    return Call("POST", path("knarr", "containers", ref, "admit"))
