"""From what is there to what shall be: which actions, in which order, and why."""

import pytest

from knarr.compose import labels
from knarr.compose.actions import Action, Await, CreateNetwork, Plan
from knarr.compose.container_actions import (
    CreateContainer,
    RecreateContainer,
    RemoveContainer,
    StartContainer,
)
from knarr.compose.draft import UpOptions
from knarr.compose.observed import Observed
from knarr.compose.plan import plan_up
from knarr.compose.reasons import FORCE, NEVER
from knarr.errors import InvalidArgument, NotFound
from support.projects import container_of, observed_of, project_of

TWO = """
services:
  web:
    image: app
    depends_on: [db]
  db:
    image: postgres
"""
SCALED = "services: {web: {image: app, scale: 2}}"


def keys(plan: Plan, kind: type[Action] = Action) -> list[str]:
    return [each.key for each in plan.work if isinstance(each, kind)]


def action(plan: Plan, key: str) -> Action:
    return next(each for each in plan.actions if each.key == key)


def test_of_nothing_everything_is_made_in_the_order_of_dependencies() -> None:
    plan = plan_up(project_of(TWO), Observed(), UpOptions())
    assert keys(plan) == [
        "network default", "create app-db-1", "create app-web-1", "start app-db-1",
        "start app-web-1",
    ]  # fmt: skip
    assert "network default" in action(plan, "create app-db-1").after
    assert "start app-db-1" in action(plan, "start app-web-1").after
    assert "all created" in action(plan, "start app-db-1").after


def test_a_second_time_nothing_is_left_to_do() -> None:
    project = project_of(TWO)
    there = observed_of(project, container_of(project, "web"), container_of(project, "db"))
    plan = plan_up(project, there, UpOptions())
    assert plan.empty
    assert plan.kept == (("db", "app-db-1"), ("web", "app-web-1"))


def test_what_has_stopped_is_started() -> None:
    project = project_of(TWO)
    db = container_of(project, "db", state="exited")
    plan = plan_up(project, observed_of(project, container_of(project, "web"), db), UpOptions())
    assert keys(plan) == ["start app-db-1"]


def test_a_container_of_another_configuration_is_replaced_and_the_others_stay() -> None:
    project = project_of(TWO)
    web = container_of(project, "web", labels={labels.CONFIG_HASH: "of another time"})
    plan = plan_up(project, observed_of(project, web, container_of(project, "db")), UpOptions())
    assert keys(plan) == ["create app-web-1", "start app-web-1"]
    recreate = action(plan, "create app-web-1")
    assert isinstance(recreate, RecreateContainer)
    assert recreate.was_running
    assert recreate.changes[0].attribute == "configuration"


def test_a_new_image_under_the_same_name_is_a_reason() -> None:
    project = project_of(SCALED)
    old = container_of(project, "web", labels={labels.IMAGE: "sha256:" + "b" * 64})
    plan = plan_up(project, observed_of(project, old, container_of(project, "web", 2)), UpOptions())
    (recreate,) = [each for each in plan.work if isinstance(each, RecreateContainer)]
    assert (recreate.changes[0].old, recreate.changes[0].new) == ("b" * 12, "a" * 12)


@pytest.mark.parametrize(("policy", "replaced"), [(FORCE, 1), (NEVER, 0)])
def test_force_replaces_what_is_the_same_and_never_keeps_what_is_not(
    policy: str, replaced: int
) -> None:
    project = project_of("services: {web: {image: app}}")
    hashes = {} if policy == FORCE else {labels.CONFIG_HASH: "other"}
    there = observed_of(project, container_of(project, "web", labels=hashes))
    plan = plan_up(project, there, UpOptions(recreate=policy))
    assert len(keys(plan, RecreateContainer)) == replaced


def test_of_too_many_the_obsolete_and_the_highest_go() -> None:
    project = project_of(SCALED)
    there = [container_of(project, "web", number) for number in (1, 2, 3)]
    there[0] = container_of(project, "web", 1, labels={labels.CONFIG_HASH: "other"})
    plan = plan_up(project, observed_of(project, *there), UpOptions())
    assert keys(plan) == ["stop app-web-1", "remove app-web-1"]


def test_of_too_few_the_next_numbers_are_made() -> None:
    project = project_of(SCALED)
    plan = plan_up(project, observed_of(project, container_of(project, "web", 4)), UpOptions())
    assert keys(plan, CreateContainer) == ["create app-web-5"]


def test_a_network_of_another_configuration_is_replaced_under_its_containers() -> None:
    project = project_of("services: {web: {image: app}}")
    there = observed_of(project, container_of(project, "web"))
    (network,) = there.networks
    changed = network.__class__(
        name=network.name, id=network.id, labels={**network.labels, labels.CONFIG_HASH: "other"}
    )
    plan = plan_up(
        project, observed_of(project, *there.containers, networks=(changed,)), UpOptions()
    )
    assert keys(plan) == [
        "stop app-web-1", "disconnect app-web-1 default", "remove network default",
        "network default", "create app-web-1", "start app-web-1",
    ]  # fmt: skip


def test_orphans_are_named_and_removed_only_when_that_is_asked() -> None:
    project = project_of("services: {web: {image: app}}")
    orphan = container_of(
        project, "web", labels={labels.SERVICE: "old"}, name="app-old-1", id="old"
    )
    there = observed_of(project, container_of(project, "web"), orphan)
    kept = plan_up(project, there, UpOptions())
    assert kept.empty
    assert "app-old-1" in kept.warnings[0]
    removed = plan_up(project, there, UpOptions(remove_orphans=True))
    assert keys(removed) == ["stop app-old-1", "remove app-old-1"]


def test_a_condition_is_waited_for_before_the_dependent_starts() -> None:
    text = TWO.replace("[db]", "{db: {condition: service_healthy}}")
    plan = plan_up(project_of(text), Observed(), UpOptions())
    (wait,) = [each for each in plan.actions if isinstance(each, Await)]
    assert "start app-db-1" in wait.after
    assert wait.key in action(plan, "start app-web-1").after


def test_without_a_start_there_are_only_creations() -> None:
    plan = plan_up(project_of(TWO), Observed(), UpOptions(start=False))
    assert not keys(plan, StartContainer)
    assert keys(plan, CreateContainer)


def test_who_shares_a_namespace_is_replaced_together_with_its_owner() -> None:
    text = "services: {vpn: {image: app}, web: {image: app, network_mode: 'service:vpn'}}"
    project = project_of(text)
    vpn = container_of(project, "vpn", labels={labels.CONFIG_HASH: "other"})
    there = observed_of(project, vpn, container_of(project, "web"))
    assert keys(plan_up(project, there, UpOptions()), RecreateContainer) == [
        "create app-vpn-1", "create app-web-1",
    ]  # fmt: skip


def test_what_is_external_and_missing_is_refused_by_name() -> None:
    text = "services: {web: {image: app, networks: [out]}}\nnetworks: {out: {external: true}}"
    with pytest.raises(NotFound, match="network out declared as external"):
        plan_up(project_of(text), Observed(), UpOptions())


def test_a_name_of_its_own_cannot_be_scaled() -> None:
    project = project_of("services: {web: {image: app, container_name: mine}}")
    two = project.services["web"].with_values(scale=2)
    with pytest.raises(InvalidArgument, match="unique name"):
        plan_up(type(project)(name="app", directory="/", services={"web": two}), Observed(),
                UpOptions())  # fmt: skip


def test_one_off_containers_are_no_business_of_up() -> None:
    project = project_of("services: {web: {image: app}}")
    run = container_of(project, "web", labels={labels.ONE_OFF: labels.YES}, name="app-web-run-1")
    plan = plan_up(project, observed_of(project, container_of(project, "web"), run), UpOptions())
    assert plan.empty
    assert not [each for each in plan.actions if isinstance(each, (RemoveContainer, CreateNetwork))]
