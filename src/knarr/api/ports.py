"""Host ports and names that several containers share: knarr's own endpoints."""

from collections.abc import Sequence

from knarr.api.router import route
from knarr.network import Backend
from knarr.services import Engine
from knarr.spec.docker.shared_ports import ContainerTurn, Drained, PortBackend, SharedPort


@route("GET", "/knarr/ports")
async def ports(engine: Engine) -> Sequence[SharedPort]:
    """Who is behind which port, and gets new connections."""
    return [_shown(each) for each in engine.networks.shared_ports()]


@route("GET", "/knarr/turns")
async def turns(engine: Engine) -> Sequence[ContainerTurn]:
    """Of the running containers that may share something: who gets new connections."""
    return [
        ContainerTurn(
            container=container,
            state=turn.value,
            shares_ports=bool(engine.networks.shared_by(container)),
        )
        for container, turn in engine.networks.turns().items()
    ]


@route("POST", "/knarr/containers/{ref}/drain")
async def drain(engine: Engine, ref: str, *, t: int = 10) -> Drained:
    """Others get new connections; answers when it has none any more, or after ``t`` seconds."""
    return Drained(connections=await engine.containers.drain(ref, seconds=t))


@route("POST", "/knarr/containers/{ref}/admit", status=204)
async def admit(engine: Engine, ref: str) -> None:
    """It gets new connections again, as before ``drain``."""
    await engine.containers.admit(ref)


def _shown(backends: Sequence[Backend]) -> SharedPort:
    port = backends[0].port
    return SharedPort(
        group=port.group,
        protocol=port.protocol,
        host_ip=str(port.host_ip),
        host_port=port.host_port,
        containers=tuple(
            PortBackend(
                container=each.container,
                address=str(each.port.target),
                port=each.port.container_port,
                state=each.turn.value,
            )
            for each in backends
        ),
    )
