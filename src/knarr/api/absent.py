"""Docker's endpoints that knarr does not have: answered by name, with what to do instead.

What Docker has no endpoint for either is 404, as anywhere; these are 501.
Source: Engine API, tags Plugin, Node, Service, Task, Secret, Config; ContainerCheckpoint.
"""

from collections.abc import Awaitable, Callable
from typing import Final, NoReturn

from knarr.api.router import route
from knarr.errors import Unsupported
from knarr.services import Engine

_PLUGINS: Final = "knarr has no managed plugins: volumes and networks are its own drivers'"
CHECKPOINTS: Final = "knarr does not save the memory of running containers: checkpoints need CRIU"
_ATTESTATIONS: Final = "knarr does not read attestations: `knarr image save` has them, as they came"
_ABSENT: Final = (
    ("GET", "/plugins/privileges", _PLUGINS),
    ("POST", "/plugins/pull", _PLUGINS),
    ("POST", "/plugins/create", _PLUGINS),
    ("POST", "/plugins/{name:path}/enable", _PLUGINS),
    ("POST", "/plugins/{name:path}/disable", _PLUGINS),
    ("POST", "/plugins/{name:path}/upgrade", _PLUGINS),
    ("POST", "/plugins/{name:path}/push", _PLUGINS),
    ("POST", "/plugins/{name:path}/set", _PLUGINS),
    ("DELETE", "/plugins/{name:path}", _PLUGINS),
    ("GET", "/containers/{ref}/checkpoints", CHECKPOINTS),
    ("POST", "/containers/{ref}/checkpoints", CHECKPOINTS),
    ("DELETE", "/containers/{ref}/checkpoints/{name}", CHECKPOINTS),
    ("GET", "/images/{name:path}/attestations", _ATTESTATIONS),
)


def _absent(reason: str) -> Callable[[Engine, str, str], Awaitable[NoReturn]]:
    async def answer(_engine: Engine, ref: str = "", name: str = "") -> NoReturn:  # noqa: ARG001
        raise Unsupported(reason)

    return answer


for _method, _template, _reason in _ABSENT:
    route(_method, _template)(_absent(_reason))
