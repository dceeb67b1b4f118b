"""What stops, starts, restarts and goes, and in which order."""

import pytest

from knarr.compose import labels, remains
from knarr.compose.actions import Plan
from knarr.compose.lifecycle import plan_restart, plan_start, plan_stop, selected
from knarr.compose.observed import Observed
from knarr.compose.plan_down import DownOptions, plan_down
from knarr.compose.project import Project
from knarr.errors import InvalidArgument, KnarrError, NotFound
from knarr.spec.docker.volume import Volume
from support.projects import container_of, observed_of, project_of

CHAIN = """
services:
  web:
    image: app
    depends_on: {api: {condition: service_started, restart: true}}
    volumes: [data:/d]
  api: {image: app, depends_on: [db]}
  db: {image: postgres}
volumes: {data: {}}
"""


def project() -> Project:
    return project_of(CHAIN)


def there(state: str = "running") -> Observed:
    return observed_of(
        project(), *(container_of(project(), each, state=state) for each in ("api", "db", "web"))
    )


def order(plan: Plan) -> dict[str, set[str]]:
    return {each.key: set(each.after) for each in plan.actions}


def test_down_stops_dependents_first_and_networks_go_last() -> None:
    steps = order(plan_down(project(), there(), DownOptions()))
    assert "remove app-web-1" in steps["stop app-api-1"]
    assert "remove app-api-1" in steps["stop app-db-1"]
    assert steps["remove network default"] == {
        "remove app-web-1", "remove app-api-1", "remove app-db-1"
    }  # fmt: skip
    assert "remove volume data" not in steps


def test_down_keeps_volumes_and_images_unless_they_are_asked_for() -> None:
    data = Volume(
        created_at="",
        name="app_data",
        driver="local",
        mountpoint="",
        labels={},
        scope="local",
        options={},
    )
    with_volume = observed_of(project(), volumes={"app_data": data})
    options = DownOptions(volumes=True, images="all")
    steps = order(plan_down(project(), with_volume, options))
    assert {"remove volume data", "remove image app", "remove image postgres"} <= set(steps)
    assert "remove image app" not in order(
        plan_down(project(), with_volume, DownOptions(images="local"))
    )


def test_down_refuses_a_word_that_it_does_not_know() -> None:
    with pytest.raises(InvalidArgument, match="--rmi"):
        plan_down(project(), there(), DownOptions(images="some"))


def test_down_of_nothing_says_so() -> None:
    plan = plan_down(project(), Observed(), DownOptions())
    assert plan.empty
    assert "No resource found" in plan.warnings[0]


def test_stop_is_the_reverse_of_start() -> None:
    stops = order(plan_stop(project(), there()))
    assert stops["stop app-db-1"] == {"stop app-api-1"}
    starts = order(plan_start(project(), there("exited")))
    assert starts["start app-api-1"] == {"start app-db-1"}


def test_what_runs_is_not_started_and_what_does_not_is_not_stopped() -> None:
    assert plan_start(project(), there()).empty
    assert plan_stop(project(), there("exited")).empty


def test_a_service_without_containers_cannot_be_started() -> None:
    with pytest.raises(KnarrError, match='service "db" has no container to start'):
        plan_start(project(), Observed())


def test_those_who_ask_for_it_are_restarted_as_well() -> None:
    assert set(order(plan_restart(project(), there(), ["api"]))) == {
        "restart app-api-1", "restart app-web-1"
    }  # fmt: skip
    alone = plan_restart(project(), there(), ["api"], dependents=False)
    assert set(order(alone)) == {"restart app-api-1"}


def test_an_unknown_service_is_named() -> None:
    with pytest.raises(NotFound, match="no such service: nobody"):
        selected(project(), there(), ["nobody"])


def test_a_project_is_known_by_its_containers_where_its_files_are_gone() -> None:
    web = container_of(
        project(), "web",
        labels={labels.DEPENDS_ON: "api:service_healthy:true", labels.WORKING_DIR: "/app"},
    )  # fmt: skip
    found = remains.project_of("app", observed_of(project(), web))
    assert found.directory == "/app"
    dependency = found.services["web"].dependencies["api"]
    assert (dependency.condition, dependency.restart) == ("service_healthy", True)
    assert not dependency.required
