from typing import Any, cast

import pytest

from knarr.api import import_routes
from knarr.api.router import Router
from knarr.http.message import Request, Response


class NoBody:
    async def read(self, limit_bytes: int = 0) -> bytes:
        return b""


async def status(method: str, path: str) -> int:
    import_routes()
    router = Router(cast("Any", None))
    body = cast("Any", NoBody())
    answer = await router(Request(method=method, path=path, raw_query="", headers={}, body=body))
    assert isinstance(answer, Response)
    return answer.status


async def test_every_path_may_be_asked_for_its_options() -> None:
    assert await status("OPTIONS", "/v1.44/containers/json") == 200
    assert await status("OPTIONS", "/nonesuch") == 200


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", "/nonesuch"), ("POST", "/nonesuch"), ("GET", "/v1.44/container/x/json")],
)
async def test_what_nobody_has_is_not_found(method: str, path: str) -> None:
    assert await status(method, path) == 404


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/v1.44/containers/c/checkpoints"),
        ("DELETE", "/containers/c/checkpoints/one"),
        ("POST", "/plugins/vieux/sshfs/enable"),
    ],
)
async def test_what_docker_has_and_knarr_does_not_is_said_to_be_so(method: str, path: str) -> None:
    assert await status(method, path) == 501


async def test_a_swarm_is_unavailable_by_all_its_endpoints() -> None:
    assert await status("DELETE", "/secrets/key") == 503
    assert await status("GET", "/services/web/logs") == 503
