from dataclasses import replace as with_facts
from typing import Any

import pytest

from knarr.container.capabilities import CAPABILITIES, DEFAULT
from knarr.container.machine import Machine
from knarr.container.plan import (
    INIT_PATH,
    Plan,
    Surroundings,
    cgroups_path,
    exec_process,
    runtime_spec,
)
from knarr.container.settings import Defaults, checked_host, completed
from knarr.errors import InvalidArgument, Unsupported
from knarr.kernel.owners import Owners, Span
from knarr.spec.docker.container import ContainerConfig, HostConfig
from knarr.spec.docker.exec import ExecCreate
from knarr.spec.oci import runtime as oci

MACHINE = Machine(cgroup_version=1, init_path="/usr/bin/tini-static")
AROUND = Surroundings(
    id="c" * 64,
    rootfs="/run/rootfs",
    hostname="cccccccccccc",
    passwd="root:x:0:0::/root:/bin/sh\nana:x:1000:1000::/home/ana:/bin/sh\n",
    group="root:x:0:\nadm:x:4:ana\n",
    network_namespace="/run/netns/c",
)
CONFIG = ContainerConfig(cmd=("sh", "-c", "true"))


def planned(
    config: ContainerConfig = CONFIG,
    *,
    around: Surroundings = AROUND,
    machine: Machine = MACHINE,
    **host: Any,
) -> Plan:
    checked, _ = checked_host(HostConfig(**host), config, machine)
    return runtime_spec(config, completed(checked, machine, Defaults()), around, machine)


def kinds(plan: Plan) -> dict[str, str]:
    return {each.type: each.path for each in plan.spec.linux.namespaces}


def test_a_plain_container() -> None:
    spec = planned().spec
    assert spec.process.args == ("sh", "-c", "true")
    assert spec.process.cwd == "/"
    assert spec.process.user == oci.User(uid=0, gid=0, additional_gids=(0,))
    assert spec.process.capabilities == oci.Capabilities(
        bounding=DEFAULT, effective=DEFAULT, permitted=DEFAULT
    )
    assert not spec.process.no_new_privileges
    assert spec.root == oci.Root(path="/run/rootfs")
    assert spec.hostname == "cccccccccccc"
    assert spec.linux.seccomp is not None
    assert "/proc/kcore" in spec.linux.masked_paths
    assert "/proc/sys" in spec.linux.readonly_paths
    assert spec.linux.cgroups_path == f"/knarr/{'c' * 64}"


def test_namespaces_are_new_but_for_the_network_which_is_made_already() -> None:
    assert kinds(planned()) == {
        "mount": "", "network": "/run/netns/c", "uts": "", "pid": "", "ipc": "",
    }  # fmt: skip


def test_host_namespaces_are_left_out() -> None:
    plan = planned(network_mode="host", pid_mode="host", ipc_mode="host", uts_mode="host")
    assert kinds(plan) == {"mount": ""}
    assert plan.spec.hostname == ""
    assert plan.spec.linux.sysctl == {}


def test_other_containers_namespaces_are_joined() -> None:
    around = with_facts(AROUND, joined_ipc="/proc/7/ns/ipc", joined_pid="/proc/7/ns/pid")
    plan = planned(around=around, pid_mode="container:x", ipc_mode="container:x")
    assert (kinds(plan)["pid"], kinds(plan)["ipc"]) == ("/proc/7/ns/pid", "/proc/7/ns/ipc")


def test_a_container_that_does_not_run_cannot_be_joined() -> None:
    with pytest.raises(InvalidArgument, match="container x: it is not running"):
        planned(pid_mode="container:x")


def test_a_private_cgroup_namespace() -> None:
    assert "cgroup" in kinds(planned(cgroupns_mode="private"))
    old = with_facts(MACHINE, cgroup_namespaces=False)
    assert "cgroup" not in kinds(planned(cgroupns_mode="private", machine=old))


def test_privileged_opens_everything() -> None:
    spec = planned(privileged=True).spec
    assert spec.process.capabilities is not None
    assert spec.process.capabilities.effective == CAPABILITIES
    assert spec.linux.seccomp is None
    assert spec.linux.masked_paths == ()
    assert spec.linux.readonly_paths == ()
    assert spec.linux.resources is not None
    assert spec.linux.resources.devices == (oci.DeviceRule(allow=True, access="rwm"),)
    cgroup = next(mount for mount in spec.mounts if mount.type == "cgroup")
    assert "ro" not in cgroup.options


def test_the_user_and_home_come_from_the_image() -> None:
    spec = planned(ContainerConfig(cmd=("x",), user="ana"), group_add=("5",)).spec
    assert spec.process.user == oci.User(uid=1000, gid=1000, additional_gids=(1000, 4, 5))
    assert "HOME=/home/ana" in spec.process.env


def test_a_terminal() -> None:
    config = ContainerConfig(cmd=("x",), tty=True)
    process = planned(config, console_size=(24, 80)).spec.process
    assert process.terminal
    assert process.console_size == oci.Box(height=24, width=80)
    assert "TERM=xterm" in process.env
    assert planned(config, console_size=(0, 0)).spec.process.console_size is None


def test_an_init_comes_before_the_command() -> None:
    spec = planned(init=True).spec
    assert spec.process.args[:3] == (INIT_PATH, "--", "sh")
    assert spec.mounts[-1] == oci.Mount(
        destination=INIT_PATH, type="bind", source="/usr/bin/tini-static", options=("bind", "ro")
    )


def test_an_init_is_of_no_use_in_the_hosts_pid_namespace() -> None:
    assert planned(init=True, pid_mode="host").spec.process.args[0] == "sh"


def test_an_init_that_is_not_installed_is_said() -> None:
    with pytest.raises(Unsupported, match="install tini"):
        planned(init=True, machine=with_facts(MACHINE, init_path=""))


def test_the_daemons_default_can_be_an_init() -> None:
    around = with_facts(AROUND, init=True)
    assert planned(around=around).spec.process.args[0] == INIT_PATH
    assert planned(around=around, init=False).spec.process.args[0] == "sh"


def test_no_new_privileges_and_apparmor() -> None:
    machine = with_facts(MACHINE, apparmor_profile="knarr-default")
    process = planned(machine=machine, security_opt=("no-new-privileges",)).spec.process
    assert process.no_new_privileges
    assert process.apparmor_profile == "knarr-default"
    asked = planned(machine=machine, security_opt=("apparmor=mine",)).spec.process
    assert asked.apparmor_profile == "mine"
    assert planned(machine=machine, privileged=True).spec.process.apparmor_profile == "unconfined"
    assert planned(security_opt=("apparmor=mine",)).spec.process.apparmor_profile == ""


def test_a_score_that_may_not_be_given_is_raised_with_a_warning() -> None:
    machine = with_facts(MACHINE, oom_score_adj=0, may_raise_limits=False)
    plan = planned(machine=machine, oom_score_adj=-500)
    assert plan.spec.process.oom_score_adj == 0
    assert "CAP_SYS_RESOURCE" in plan.warnings[0]
    assert planned(oom_score_adj=-500).spec.process.oom_score_adj == -500
    high = with_facts(MACHINE, oom_score_adj=100, may_raise_limits=False)
    assert planned(machine=high).warnings == ()


def test_the_domain_is_a_setting_of_the_uts_namespace() -> None:
    config = ContainerConfig(cmd=("x",), domainname="example.org")
    assert planned(config).spec.linux.sysctl == {"kernel.domainname": "example.org"}


@pytest.mark.parametrize(
    ("parent", "path"),
    [
        ("", "/knarr/c"),
        ("/mine", "/mine/c"),
        ("mine/below", "/mine/below/c"),
        ("../../up", "/up/c"),
        ("/", "/c"),
        ("//x", "/x/c"),
    ],
)
def test_the_cgroup_never_leaves_the_hierarchy(parent: str, path: str) -> None:
    assert cgroups_path(HostConfig(cgroup_parent=parent), "c") == path


def execed(wanted: ExecCreate, config: ContainerConfig = CONFIG, **host: Any) -> oci.Process:
    complete = completed(HostConfig(**host), MACHINE, Defaults())
    return exec_process(wanted, config, complete, AROUND, MACHINE)


def test_an_exec_inherits_what_it_does_not_say() -> None:
    config = ContainerConfig(
        cmd=("x",), user="ana", env=("A=1",), working_dir="/srv", tty=True, entrypoint=("e",)
    )
    process = execed(ExecCreate(cmd=("id",)), config, init=True, cap_drop=("ALL",))
    assert process.args == ("id",)
    assert process.user.uid == 1000
    assert process.cwd == "/srv"
    assert "A=1" in process.env
    assert not any(entry.startswith("TERM=") for entry in process.env)
    assert process.capabilities == oci.Capabilities()


def test_an_exec_of_its_own() -> None:
    wanted = ExecCreate(
        cmd=("id",), user="ana:adm", env=("A=2",), working_dir="/tmp/..", tty=True, privileged=True,
        console_size=(10, 20),
    )  # fmt: skip
    process = execed(wanted, ContainerConfig(cmd=("x",), env=("A=1",)))
    assert process.user == oci.User(uid=1000, gid=4, additional_gids=(4,))
    assert process.cwd == "/"
    assert {"A=2", "TERM=xterm", "HOME=/home/ana"} <= set(process.env)
    assert "A=1" not in process.env
    assert process.capabilities is not None
    assert process.capabilities.effective == CAPABILITIES
    assert process.console_size == oci.Box(height=10, width=20)


def test_an_exec_needs_a_command() -> None:
    with pytest.raises(InvalidArgument, match=r"^No exec command specified$"):
        execed(ExecCreate())


def test_in_a_user_namespace_the_runtime_gets_maps_and_writes_no_setting_of_the_hosts() -> None:
    spans = (Span(0, 100000, 65536),)
    around = with_facts(AROUND, owners=Owners(spans, spans), user_namespace="/proc/9/fd/3")
    config = ContainerConfig(cmd=("true",), domainname="example.org")
    mapped, plain = planned(config, around=around).spec, planned(config).spec
    assert oci.Namespace(type="user", path="/proc/9/fd/3") in mapped.linux.namespaces
    mapping = (oci.IdMapping(container_id=0, host_id=100000, size=65536),)
    assert mapped.linux.uid_mappings == mapped.linux.gid_mappings == mapping
    assert mapped.domainname == "example.org"
    assert "kernel.domainname" not in mapped.linux.sysctl
    assert "user" not in {each.type for each in plain.linux.namespaces}
    assert plain.linux.sysctl["kernel.domainname"] == "example.org"
