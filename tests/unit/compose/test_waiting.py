"""Waiting for services, with an engine that tells of one container whatever comes next."""

import json
from collections.abc import Iterator
from typing import Any, cast

import pytest

from knarr.compose.actions import Await
from knarr.compose.engine import Engines
from knarr.compose.starting import RUNNING_OR_HEALTHY
from knarr.compose.waiting import wait_for
from knarr.errors import KnarrError
from knarr.spec.docker.container import ContainerInspect
from knarr.spec.document import decode

AWAIT = Await(key="await web", service="web", condition=RUNNING_OR_HEALTHY)
CHECK = {"Healthcheck": {"Test": ["CMD", "true"]}}


class _Telling:
    def __init__(self, states: Iterator[dict[str, Any]], config: dict[str, Any]) -> None:
        self.states, self.config, self.asked = states, config, 0

    def ask(self, _request: object, kind: type[ContainerInspect]) -> ContainerInspect:
        self.asked += 1
        told = {"Name": "/app-web-1", "Config": self.config, "State": next(self.states)}
        return decode(json.dumps(told).encode(), kind)


def telling(*states: dict[str, Any], config: dict[str, Any] | None = None) -> _Telling:
    """The last state goes on and on."""

    def endless() -> Iterator[dict[str, Any]]:
        yield from states
        while True:
            yield states[-1]

    return _Telling(endless(), config or {})


def waited(engine: _Telling) -> str:
    return wait_for(cast("Engines", engine), AWAIT, ["id"], None)


def test_one_that_ends_at_once_was_never_well() -> None:
    engine = telling({"Status": "running"}, {"Status": "exited", "ExitCode": 3})
    with pytest.raises(KnarrError, match=r"^container app-web-1 exited \(3\)$"):
        waited(engine)


def test_one_without_a_check_is_looked_at_again_and_one_with_a_check_is_believed() -> None:
    running = telling({"Status": "running"})
    assert waited(running) == "Healthy"
    assert running.asked > 1
    healthy = telling({"Status": "running", "Health": {"Status": "healthy"}}, config=CHECK)
    assert waited(healthy) == "Healthy"
    assert healthy.asked == 1


def test_of_an_unhealthy_one_the_last_words_of_its_check_are_told() -> None:
    health = {"Status": "unhealthy", "Log": [{"Output": "first"}, {"Output": "no route\n"}]}
    engine = telling({"Status": "running", "Health": health}, config=CHECK)
    with pytest.raises(KnarrError, match=r"is unhealthy; its last check said: no route$"):
        waited(engine)
