"""Endpoints of networks. Source: Engine API, tag Network."""

from collections.abc import Sequence

from knarr.api.router import Filters, only_known, route
from knarr.errors import InvalidArgument
from knarr.services import Engine
from knarr.spec.docker.container import EndpointSettings
from knarr.spec.docker.network import (
    NetworkConnect,
    NetworkCreate,
    NetworkCreated,
    NetworkDisconnect,
    NetworkInspect,
    NetworksPruned,
)

_NO_FILTERS = Filters({})


@route("GET", "/networks/")
@route("GET", "/networks")
async def networks(engine: Engine, *, filters: Filters = _NO_FILTERS) -> Sequence[NetworkInspect]:
    """NetworkList."""
    only_known(filters, "dangling", "driver", "id", "label", "name", "scope", "type")
    return engine.networks.list(filters)


@route("POST", "/networks/create", status=201)
async def create(engine: Engine, body: NetworkCreate) -> NetworkCreated:
    """NetworkCreate: 409 if the name is in use, 403 if the range is, or if it is predefined."""
    return await engine.networks.create(body)


@route("POST", "/networks/prune")
async def prune(engine: Engine, *, filters: Filters = _NO_FILTERS) -> NetworksPruned:
    """NetworkPrune."""
    only_known(filters, "label", "label!", "until")
    return await engine.networks.prune(filters)


@route("GET", "/networks/{ref}")
async def inspect(
    engine: Engine,
    ref: str,
    *,
    verbose: bool = False,  # noqa: ARG001  of swarm networks alone
    scope: str = "",
) -> NetworkInspect:
    """NetworkInspect."""
    return engine.networks.inspect(ref, scope=scope)


@route("DELETE", "/networks/{ref}", status=204)
async def remove(engine: Engine, ref: str) -> None:
    """NetworkDelete: 403 for a predefined network, and while containers are on it."""
    await engine.networks.remove(ref)


@route("POST", "/networks/{ref}/connect", status=200)
async def connect(engine: Engine, ref: str, body: NetworkConnect) -> None:
    """NetworkConnect: at once if the container runs, else from its next start."""
    settings = body.endpoint_config or EndpointSettings()
    await engine.containers.connect(_container(body.container), ref, settings)


@route("POST", "/networks/{ref}/disconnect", status=200)
async def disconnect(engine: Engine, ref: str, body: NetworkDisconnect) -> None:
    """NetworkDisconnect."""
    await engine.containers.disconnect(_container(body.container), ref, force=body.force)


def _container(ref: str) -> str:
    if not ref:
        raise InvalidArgument("invalid container name or ID: it is empty")
    return ref
