"""What knarr leaves to others: swarm and managed plugins, answered as an engine without them does.

Clients ask for these in passing (``docker inspect`` tries every kind of object), so the answers are
those of a Docker that is no swarm manager and has no plugins, not an unknown endpoint's.
"""

from collections.abc import Awaitable, Callable
from typing import Final, NoReturn

from knarr.api.router import Filters, route
from knarr.errors import NotFound, Unavailable
from knarr.services import Engine

_NO_MANAGER: Final = (
    "This node is not a swarm manager. knarr has no swarm: use compose on one host, and Kubernetes"
    " or Nomad beyond it."
)
_KINDS: Final = ("nodes", "services", "tasks", "secrets", "configs")


def _no_manager() -> Callable[[Engine, str], Awaitable[NoReturn]]:
    async def answer(_engine: Engine, name: str = "") -> NoReturn:  # noqa: ARG001
        raise Unavailable(_NO_MANAGER)

    return answer


for _kind in _KINDS:
    route("GET", f"/{_kind}")(_no_manager())
    route("POST", f"/{_kind}/create")(_no_manager())
route("GET", "/swarm")(_no_manager())
for _verb in ("init", "join", "leave", "update", "unlock"):
    route("POST", f"/swarm/{_verb}")(_no_manager())


@route("GET", "/{kind}/{name}")
async def object_of_swarm(_engine: Engine, kind: str, name: str) -> NoReturn:  # noqa: ARG001
    """NodeInspect, ServiceInspect and the like."""
    if kind in _KINDS or kind == "swarm":
        raise Unavailable(_NO_MANAGER)
    raise NotFound("page not found")


for _kind in _KINDS:
    route("DELETE", f"/{_kind}/{{name}}")(_no_manager())
    route("POST", f"/{_kind}/{{name}}/update")(_no_manager())
for _kind in ("services", "tasks"):
    route("GET", f"/{_kind}/{{name}}/logs")(_no_manager())


@route("GET", "/plugins")
async def plugins(_engine: Engine, *, filters: Filters = Filters({})) -> tuple[str, ...]:  # noqa: ARG001, B008
    """PluginList."""
    return ()


@route("GET", "/plugins/{name:path}/json")
async def plugin(_engine: Engine, name: str) -> NoReturn:
    """PluginInspect."""
    raise NotFound(f'plugin "{name}" not found')
