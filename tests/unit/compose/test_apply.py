"""Plans carried out on an engine that only remembers what it was asked."""

from collections.abc import Iterator
from dataclasses import replace

import pytest

from knarr.client.blocking import Engine
from knarr.client.endpoint import Endpoint
from knarr.compose import labels
from knarr.compose.actions import Plan
from knarr.compose.apply import apply
from knarr.compose.draft import UpOptions
from knarr.compose.engine import Engines
from knarr.compose.files import Texts
from knarr.compose.means import Means
from knarr.compose.observed import Observed
from knarr.compose.plan import plan_up
from knarr.compose.plan_down import DownOptions, plan_down
from knarr.compose.project import Project
from knarr.compose.report import Progress, State
from knarr.errors import Conflict
from support.fake_engine import Answer, FakeEngine, fake_engine
from support.projects import container_of, observed_of, project_of

CREATE = "POST", "/containers/create"


@pytest.fixture
def fake() -> Iterator[FakeEngine]:
    with fake_engine() as engine:
        engine.answers[CREATE] = Answer(201, {"Id": "new", "Warnings": ["no swap here"]})
        engine.answers["POST", "/networks/create"] = Answer(201, {"Id": "net"})
        for verb in ("start", "stop", "rename"):
            for container in ("new", "old"):
                engine.answers["POST", f"/containers/{container}/{verb}"] = Answer(204)
        engine.answers["DELETE", "/containers/old"] = Answer(204)
        yield engine


def carried_out(
    fake: FakeEngine, plan: Plan, project: Project, observed: Observed, **means: object
) -> list[Progress]:
    """What was told meanwhile."""
    told: list[Progress] = []
    engines = Engines(lambda version: Engine(Endpoint.parse(fake.host), version=version))
    try:
        given = Means(files=Texts({}), report=told.append, **means)  # type: ignore[arg-type]
        apply(plan, project, observed, engines, given)
    finally:
        engines.close()
    return told


def changes(fake: FakeEngine) -> list[str]:
    return [each for each in fake.requests() if not each.startswith("GET")]


def test_up_makes_the_network_then_the_container_and_starts_it(fake: FakeEngine) -> None:
    project = project_of("services: {web: {image: app}}")
    told = carried_out(fake, plan_up(project, Observed(), UpOptions()), project, Observed())
    assert changes(fake) == [
        "POST /networks/create",
        "POST /containers/create?name=app-web-1",
        "POST /containers/new/start",
    ]
    assert [(each.subject, each.text) for each in told if each.state is State.WARNING] == [
        ("Container app-web-1", "no swap here")
    ]


def test_what_the_file_says_and_nobody_does_is_told(fake: FakeEngine) -> None:
    project = project_of("services: {web: {image: app, deploy: {endpoint_mode: dnsrr}}}")
    warnings: list[str] = []
    carried_out(
        fake, plan_up(project, Observed(), UpOptions()), project, Observed(), warn=warnings.append
    )
    assert warnings == ["services.web.deploy.endpoint_mode has no effect: it is for clusters"]


def test_a_replacement_is_made_before_the_old_one_stops(fake: FakeEngine) -> None:
    project = project_of("services: {web: {image: app}}")
    old = container_of(project, "web", id="old", labels={labels.CONFIG_HASH: "other"})
    there = observed_of(project, old)
    carried_out(fake, plan_up(project, there, UpOptions()), project, there)
    assert changes(fake) == [
        "POST /containers/create?name=old_app-web-1",
        "POST /containers/old/stop",
        "DELETE /containers/old",
        "POST /containers/new/rename?name=app-web-1",
        "POST /containers/new/start",
    ]
    created = next(each for each in fake.asked if each.path == "/containers/create")
    assert created.document["Labels"][labels.REPLACE] == "web-1"


def test_a_container_too_many_that_ended_has_nothing_to_drain(fake: FakeEngine) -> None:
    project = project_of("services: {web: {image: app, ports: ['8080:80']}}")
    there = replace(
        observed_of(
            project, container_of(project, "web"), container_of(project, "web", 2, id="old")
        ),
        shares_ports=True,
    )
    drain = "POST", "/knarr/containers/old/drain"
    fake.answers[drain] = Answer(409, {"message": "container old is not running"})
    carried_out(fake, plan_up(project, there, UpOptions()), project, there)
    assert changes(fake)[0].startswith(" ".join(drain))
    assert changes(fake)[1] == "POST /containers/old/stop"


def test_an_image_that_came_with_a_service_in_use_is_left(fake: FakeEngine) -> None:
    project = project_of("services: {web: {image: app}}")
    there = observed_of(project, networks=())
    fake.answers["DELETE", "/images/app"] = Answer(409, {"message": "in use"})
    told = carried_out(fake, plan_down(project, there, DownOptions(images="all")), project, there)
    assert told[-1].text == "Resource is still in use"


def test_a_failure_is_told_and_raised_and_nothing_starts(fake: FakeEngine) -> None:
    fake.answers[CREATE] = Answer(409, {"message": "the name is taken"})
    project = project_of("services: {web: {image: app}}")
    plan = plan_up(project, Observed(), UpOptions())
    with pytest.raises(Conflict, match="the name is taken"):
        carried_out(fake, plan, project, Observed())
    assert "POST /containers/new/start" not in changes(fake)


def test_what_is_gone_already_is_no_failure_of_down(fake: FakeEngine) -> None:
    project = project_of("services: {web: {image: app}}")
    there = observed_of(project, container_of(project, "web", id="gone"), networks=())
    carried_out(fake, plan_down(project, there, DownOptions()), project, there)
    assert changes(fake)[0] == "POST /containers/gone/stop"
    assert changes(fake)[1].startswith("DELETE /containers/gone")
