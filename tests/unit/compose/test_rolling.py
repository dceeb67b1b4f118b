"""What a rollout will do, and what a container was made of."""

import pytest

from knarr.compose import labels, revision
from knarr.compose.container_actions import RecreateContainer, RollOut
from knarr.compose.draft import UpOptions
from knarr.compose.plan import plan_up
from knarr.compose.rolling import fixed_ports, plan_rollback
from knarr.compose.telling import describe, tell
from knarr.compose.update_policy import UpdatePolicy, rollback_policy, update_policy
from knarr.errors import InvalidArgument, NotFound
from knarr.spec.docker.container import (
    ContainerConfig,
    ContainerInspect,
    EndpointSettings,
    HostConfig,
    MountPoint,
    NetworkSettings,
)
from support.projects import container_of, observed_of, project_of

WEB = """
services:
  web:
    image: app
    ports: ["8080:80"]
    deploy:
      replicas: 2
      update_config: {order: start-first, parallelism: 0, delay: 10s, monitor: 1m30s}
"""
OTHER = {labels.CONFIG_HASH: "other"}


def rollout(text: str = WEB, *, shares: bool = True, options: UpOptions | None = None) -> RollOut:
    project = project_of(text)
    there = [container_of(project, "web", number, labels=OTHER) for number in (1, 2)]
    observed = observed_of(project, *there, shares_ports=shares)
    plan = plan_up(project, observed, options or UpOptions(roll=True))
    (action,) = [each for each in plan.actions if isinstance(each, RollOut)]
    return action


def test_what_the_file_says_is_the_policy() -> None:
    assert update_policy(project_of(WEB).services["web"]) == UpdatePolicy(
        order="start-first", parallelism=0, delay_s=10, monitor_s=90, failure_action="pause"
    )
    assert rollback_policy(project_of(WEB).services["web"]) is None


@pytest.mark.parametrize(("parallelism", "at_once"), [(0, 5), (1, 1), (2, 2), (9, 5)])
def test_zero_means_all_at_once(parallelism: int, at_once: int) -> None:
    assert UpdatePolicy(parallelism=parallelism).at_once(5) == at_once


def test_an_unknown_action_is_refused_by_name() -> None:
    text = WEB.replace("parallelism: 0", "failure_action: shrug")
    with pytest.raises(InvalidArgument, match=r"services\.web\.deploy\.update_config\.failure_act"):
        update_policy(project_of(text).services["web"])


def test_changed_containers_are_one_rollout_and_nothing_else_happens() -> None:
    action = rollout()
    assert [each.container for each in action.steps] == ["app-web-1", "app-web-2"]
    assert not action.downtime
    shown = describe(action)
    assert (shown["order"], shown["parallelism"], shown["downtime"]) == ("start-first", 2, False)
    assert "roll out service web (start-first, 2 at a time, without downtime)" in tell(
        "app", [action], []
    )


def test_without_the_wish_they_are_recreated_as_ever() -> None:
    project = project_of(WEB)
    there = [container_of(project, "web", number, labels=OTHER) for number in (1, 2)]
    plan = plan_up(project, observed_of(project, *there, shares_ports=True), UpOptions())
    assert [type(each) for each in plan.work][:2] == [RecreateContainer, RecreateContainer]


@pytest.mark.parametrize(
    ("text", "shares", "reason"),
    [
        (WEB, False, "this engine gives port 8080 to one container only"),
        (
            WEB.replace("    deploy", "    networks: {net: {ipv4_address: 10.0.0.9}}\n    deploy")
            + "networks: {net: {}}",
            True,
            "the ipv4_address on network net can belong to one container only",
        ),
    ],
)
def test_what_cannot_run_side_by_side_stops_first_and_that_is_said(
    text: str, shares: bool, reason: str
) -> None:
    project = project_of(text)
    there = [container_of(project, "web", number, labels=OTHER) for number in (1, 2)]
    observed = observed_of(project, *there, shares_ports=shares)
    plan = plan_up(project, observed, UpOptions(roll=True))
    (action,) = [each for each in plan.actions if isinstance(each, RollOut)]
    assert action.policy.order == action.back.order == "stop-first"
    assert action.downtime
    assert any(reason in each for each in plan.warnings)


def test_stopping_first_is_no_downtime_while_others_serve() -> None:
    one_by_one = WEB.replace("start-first, parallelism: 0", "stop-first, parallelism: 1")
    assert not rollout(one_by_one).downtime
    assert rollout(one_by_one, shares=False).downtime
    assert rollout(one_by_one.replace("parallelism: 1", "parallelism: 2")).downtime


def test_who_shares_its_container_with_others_is_replaced_together_with_them() -> None:
    project = project_of(WEB + "  side: {image: app, network_mode: 'service:web'}\n")
    there = [container_of(project, "web", number, labels=OTHER) for number in (1, 2)]
    observed = observed_of(project, *there, shares_ports=True)
    plan = plan_up(project, observed, UpOptions(roll=True))
    assert not [each for each in plan.actions if isinstance(each, RollOut)]


def test_a_dependent_that_asks_for_it_is_restarted_afterwards() -> None:
    text = WEB + (
        "  proxy: {image: app, depends_on: {web: {condition: service_started, restart: true}}}\n"
    )
    project = project_of(text)
    there = [container_of(project, "web", number, labels=OTHER) for number in (1, 2)]
    observed = observed_of(project, *there, container_of(project, "proxy"), shares_ports=True)
    plan = plan_up(project, observed, UpOptions(roll=True))
    (restart,) = [each for each in plan.actions if each.key.startswith("restart app-proxy-1")]
    assert restart.after == {"roll out web"}


def test_what_a_cut_short_rollout_left_double_goes_and_gets_its_name() -> None:
    project = project_of(WEB)
    old, two = (container_of(project, "web", number, labels=OTHER) for number in (1, 2))
    new = container_of(project, "web", 1, name="abc_app-web-1", id="new")
    observed = observed_of(project, old, two, new, shares_ports=True)
    plan = plan_up(project, observed, UpOptions(roll=True))
    keys = {each.key: each for each in plan.actions}
    assert {"stop app-web-1", "remove app-web-1", "rename abc_app-web-1"} <= set(keys)
    assert "remove app-web-1" in keys["rename abc_app-web-1"].after
    rolled = keys["roll out web"]
    assert isinstance(rolled, RollOut)
    assert [each.container for each in rolled.steps] == ["app-web-2"]


def test_one_that_was_draining_and_stays_gets_connections_again() -> None:
    project = project_of(WEB)
    there = [container_of(project, "web", number) for number in (1, 2)]
    observed = observed_of(project, *there, shares_ports=True, draining=frozenset([there[0].id]))
    plan = plan_up(project, observed, UpOptions(roll=True))
    assert [each.key for each in plan.work] == ["admit app-web-1"]


@pytest.mark.parametrize(
    ("port", "fixed"), [("8080:80", ["8080"]), ("80", []), ("8000-8010:80", [])]
)
def test_a_port_is_fixed_where_exactly_one_is_named(port: str, fixed: list[str]) -> None:
    project = project_of(f"services: {{web: {{image: app, ports: ['{port}']}}}}")
    assert fixed_ports(project.services["web"]) == fixed


def mounted(**fields: str) -> MountPoint:
    return MountPoint(mode="", rw=True, propagation="", **fields)


def inspected() -> ContainerInspect:
    identifier = "a1b2c3d4e5f6" + "0" * 52
    return ContainerInspect(
        id=identifier,
        config=ContainerConfig(
            hostname="a1b2c3d4e5f6", image="app", env=("A=b",),
            labels={labels.IMAGE: "sha256:1", revision.BEFORE: "older"},
        ),
        host_config=HostConfig(network_mode="app_net", binds=("/here:/there:rw",)),
        mounts=(
            mounted(type="bind", source="/here", destination="/there"),
            mounted(type="volume", source="/volumes/0123", name="0123", destination="/data"),
        ),
        network_settings=NetworkSettings(
            networks={
                "app_net": EndpointSettings(
                    aliases=("web", "a1b2c3d4e5f6"), ip_address="10.0.0.2", mac_address="02:42::"
                )
            }
        ),
    )  # fmt: skip


def test_a_container_can_be_made_again_with_its_volumes_and_names() -> None:
    request = revision.from_label(revision.to_label(revision.request_for(inspected())))
    assert request.hostname == ""
    assert request.labels == {labels.IMAGE: "sha256:1"}
    assert request.env == ("A=b",)
    assert request.host_config is not None
    assert [(each.source, each.target) for each in request.host_config.mounts] == [
        ("0123", "/data")
    ]
    assert request.networking_config is not None
    (settings,) = request.networking_config.endpoints_config.values()
    assert (settings.aliases, settings.ip_address, settings.mac_address) == (("web",), "", "")


def test_a_label_that_holds_something_else_is_refused() -> None:
    with pytest.raises(InvalidArgument, match="holds no container"):
        revision.from_label("what?")


def test_there_is_no_way_back_from_what_was_never_rolled_out() -> None:
    project = project_of(WEB)
    there = observed_of(project, container_of(project, "web"))
    with pytest.raises(NotFound, match="has not been rolled out"):
        plan_rollback(project, there, ["web"])
    with pytest.raises(NotFound, match='nothing of project "app" has been rolled out'):
        plan_rollback(project, there, [])
