import pytest
from hypothesis import given
from hypothesis import strategies as st

from knarr.container.devices import (
    DEFAULT_RULES,
    HostDevice,
    check_devices,
    device_plan,
    privileged_device_plan,
    rule,
)
from knarr.errors import InvalidArgument
from knarr.spec.docker.container import DeviceMapping
from knarr.spec.oci.runtime import Device, DeviceRule

FUSE = HostDevice(path="/dev/fuse", type="c", major=10, minor=229, mode=0o666)
DISK = HostDevice(path="/dev/disks/a", type="b", major=8, minor=0)


def test_all_devices_are_barred_before_some_are_allowed() -> None:
    assert DEFAULT_RULES[0] == DeviceRule(allow=False, access="rwm")
    assert device_plan((), (), {}).rules == DEFAULT_RULES


def test_a_device_is_made_and_allowed() -> None:
    mapping = DeviceMapping(
        path_on_host="/dev/fuse", path_in_container="/dev/f", cgroup_permissions="rw"
    )
    plan = device_plan((mapping,), (), {"/dev/fuse": (FUSE,)})
    assert plan.nodes == (
        Device(type="c", path="/dev/f", major=10, minor=229, file_mode=0o666, uid=0, gid=0),
    )
    assert plan.rules[-1] == DeviceRule(allow=True, type="c", major=10, minor=229, access="rw")


def test_the_devices_of_a_directory_keep_their_names() -> None:
    mapping = DeviceMapping(path_on_host="/dev/disks", path_in_container="/dev/mine")
    plan = device_plan((mapping,), (), {"/dev/disks": (DISK,)})
    assert plan.nodes[0].path == "/dev/mine/a"
    assert plan.rules[-1].access == "rwm"


def test_a_missing_device_is_named() -> None:
    with pytest.raises(InvalidArgument, match='adding custom device "/dev/no": no such file'):
        device_plan((DeviceMapping(path_on_host="/dev/no"),), (), {"/dev/no": ()})


def test_privileged_sees_every_device_and_may_use_all() -> None:
    mapping = DeviceMapping(path_on_host="/dev/fuse", path_in_container="/dev/f")
    plan = privileged_device_plan((mapping,), {"/dev/fuse": (FUSE,)}, (FUSE, DISK))
    assert [node.path for node in plan.nodes] == ["/dev/fuse", "/dev/disks/a", "/dev/f"]
    assert plan.rules == (DeviceRule(allow=True, access="rwm"),)


def test_rules_are_read() -> None:
    assert rule("c 10:* rm") == DeviceRule(allow=True, type="c", major=10, access="rm")
    assert rule("a *:* rwm") == DeviceRule(allow=True, type="a", access="rwm")


@given(st.text())
def test_other_rules_are_refused(text: str) -> None:
    with pytest.raises(InvalidArgument) as caught:
        rule(f"{text} ")
    assert str(caught.value) == f"invalid device cgroup rule format: '{text} '"


@pytest.mark.parametrize(
    ("mapping", "message"),
    [
        (DeviceMapping(path_on_host="/dev/a", cgroup_permissions="x"), "bad mode specified: x"),
        (DeviceMapping(path_on_host="dev/a"), "dev/a is not an absolute path"),
    ],
)
def test_wrong_mappings_are_refused(mapping: DeviceMapping, message: str) -> None:
    with pytest.raises(InvalidArgument, match=message):
        check_devices((mapping,), ())
