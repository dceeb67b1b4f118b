from typing import Any

import pytest

from knarr.container.machine import Machine
from knarr.container.settings import Defaults, completed
from knarr.container.updating import updated
from knarr.errors import InvalidArgument, Unsupported
from knarr.spec.docker.container import ContainerUpdate, HostConfig, RestartPolicy, Ulimit

MIB = 1024**2
MACHINE = Machine(cgroup_version=1)


def after(wanted: dict[str, Any], **host: Any) -> HostConfig:
    before = completed(HostConfig(**host), MACHINE, Defaults())
    return updated(before, ContainerUpdate(**wanted), MACHINE, "web")[0]


def test_what_is_not_said_stays() -> None:
    host = after({"cpu_shares": 7}, memory=64 * MIB, pids_limit=9)
    assert (host.cpu_shares, host.memory, host.memory_swap, host.pids_limit) == (
        7, 64 * MIB, 128 * MIB, 9,
    )  # fmt: skip


def test_a_first_memory_limit_limits_swap_too() -> None:
    assert after({"memory": 64 * MIB}).memory_swap == 128 * MIB
    assert after({"memory": 64 * MIB}, memory=16 * MIB, memory_swap=-1).memory_swap == -1


def test_a_limit_can_be_taken_away() -> None:
    assert after({"pids_limit": -1}, pids_limit=5).pids_limit == -1
    host = after({"memory_swap": -1}, memory=64 * MIB)
    assert (host.memory, host.memory_swap) == (64 * MIB, -1)


def test_a_restart_policy_is_replaced() -> None:
    policy = RestartPolicy(name="on-failure", maximum_retry_count=3)
    assert after({"restart_policy": policy}).restart_policy == policy
    kept = after({"restart_policy": RestartPolicy()}, restart_policy=policy)
    assert kept.restart_policy == policy


@pytest.mark.parametrize(
    ("wanted", "host", "message"),
    [
        ({"memory": MIB}, {}, "Minimum memory limit allowed is 6MB"),
        (
            {"memory": 200 * MIB},
            {"memory": 64 * MIB},
            (
                "Cannot update container web: Memory limit should be smaller than already set"
                " memoryswap limit, update the memoryswap at the same time"
            ),
        ),
        (
            {"nano_cpus": 1_000_000_000},
            {"cpu_quota": 5000},
            (
                "Cannot update container web: Conflicting options: Nano CPUs cannot be updated as"
                " CPU Quota has already been set"
            ),
        ),
        (
            {"cpu_period": 5000},
            {"nano_cpus": 1_000_000_000},
            (
                "Cannot update container web: Conflicting options: CPU Period cannot be updated as"
                " NanoCPUs has already been set"
            ),
        ),
        (
            {"restart_policy": RestartPolicy(name="always")},
            {"auto_remove": True},
            (
                "Cannot update container web: Restart policy cannot be updated because AutoRemove"
                " is enabled for the container"
            ),
        ),
        (
            {"restart_policy": RestartPolicy(name="never")},
            {},
            (
                "invalid restart policy: unknown policy 'never'; use one of 'no', 'always',"
                " 'on-failure', or 'unless-stopped'"
            ),
        ),
    ],
)
def test_what_makes_no_sense_is_refused(
    wanted: dict[str, Any], host: dict[str, Any], message: str
) -> None:
    with pytest.raises(InvalidArgument) as caught:
        after(wanted, **host)
    assert str(caught.value) == message


def test_what_cannot_change_is_refused_by_name() -> None:
    with pytest.raises(Unsupported, match="Init of a container cannot be updated"):
        after({"init": True})


def test_new_ulimits_are_kept_for_the_next_start_and_that_is_told() -> None:
    ulimits = (Ulimit(name="core", soft=1, hard=2),)
    host, warnings = updated(HostConfig(), ContainerUpdate(ulimits=ulimits), MACHINE, "web")
    assert host.ulimits == ulimits
    assert warnings == ("The new ulimits hold from the container's next start on.",)
    with pytest.raises(InvalidArgument, match="invalid ulimit type: heads"):
        after({"ulimits": (Ulimit(name="heads", soft=1, hard=1),)})
