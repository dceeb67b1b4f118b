"""Verbs of networks. Source: Engine API, tag "Network"."""

from __future__ import annotations

from knarr.client.call import Call, document, filters, path, query
from knarr.client.lean import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import Any

    from knarr.client.call import Body, Filters
    from knarr.spec.docker.network import Network, NetworkCreated, NetworkInspect, NetworksPruned


def list_(*, where: Filters | None = None) -> Call[tuple[Network, ...]]:
    """All networks, in the order of their names."""
    return Call("GET", "/networks", query(filters=filters(where)))


def create(body: Body) -> Call[NetworkCreated]:
    """Make a network; ``body`` is a NetworkCreate."""
    return Call("POST", "/networks/create", body=document(body))


def inspect(ref: str, *, verbose: bool = False, scope: str | None = None) -> Call[NetworkInspect]:
    """All that the engine knows of one network, the containers on it included."""
    return Call("GET", path("networks", ref), query(scope=scope or None, verbose=verbose or None))


def connect(ref: str, container: str, endpoint: dict[str, Any] | None = None) -> Call[None]:
    """Put a container on one more network; ``endpoint`` is an EndpointSettings."""
    body = {"Container": container, "EndpointConfig": endpoint or {}}
    return Call("POST", path("networks", ref, "connect"), body=document(body))


def disconnect(ref: str, container: str, *, force: bool = False) -> Call[None]:
    """Take a container off a network."""
    body = {"Container": container, "Force": force}
    return Call("POST", path("networks", ref, "disconnect"), body=document(body))


def remove(ref: str) -> Call[None]:
    """Remove a network that nobody is on."""
    return Call("DELETE", path("networks", ref))


def prune(where: Filters | None = None) -> Call[NetworksPruned]:
    """Remove all networks that nobody is on."""
    return Call("POST", "/networks/prune", query(filters=filters(where)))
