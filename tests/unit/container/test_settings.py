from typing import Any

import pytest

from knarr.container.machine import Machine
from knarr.container.settings import (
    MASKED_PATHS,
    READONLY_PATHS,
    Defaults,
    checked_config,
    checked_host,
    completed,
)
from knarr.errors import InvalidArgument, KnarrError, Unsupported
from knarr.spec.docker.container import (
    ContainerConfig,
    DeviceRequest,
    HostConfig,
    LogConfig,
    PortBinding,
    RestartPolicy,
)
from knarr.spec.docker.health import HealthConfig
from knarr.spec.document import decode

V1, V2 = Machine(cgroup_version=1), Machine(cgroup_version=2)


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (
            ContainerConfig(hostname="h" * 65),
            f'hostname "{"h" * 65}" is too long (maximum 64 bytes)',
        ),
        (
            ContainerConfig(working_dir="srv"),
            "the working directory 'srv' is invalid, it needs to be an absolute path",
        ),
        (ContainerConfig(stop_signal="SIGNO"), "invalid signal: SIGNO"),
        (ContainerConfig(env=("=x",)), "invalid environment variable: =x"),
        (
            ContainerConfig(exposed_ports={"99999/tcp": {}}),
            'invalid port specification: "99999/tcp"',
        ),
        (ContainerConfig(exposed_ports={"80/ftp": {}}), "invalid proto: ftp"),
        (
            ContainerConfig(healthcheck=HealthConfig(interval=5)),
            "Interval in Healthcheck cannot be less than 1ms",
        ),
        (
            ContainerConfig(healthcheck=HealthConfig(retries=-1)),
            "Retries in Healthcheck cannot be negative",
        ),
    ],
)
def test_a_wrong_config_is_refused(config: ContainerConfig, message: str) -> None:
    with pytest.raises(InvalidArgument) as caught:
        checked_config(config)
    assert str(caught.value) == message


def test_a_health_check_of_an_unknown_kind_is_told_of() -> None:
    config = ContainerConfig(healthcheck=HealthConfig(test=("true",)))
    checked_config(config)
    _, warnings = checked_host(HostConfig(), config, V1)
    assert "Unknown type 'true' in Healthcheck: the container is not probed" in warnings[0]


NO_CONFIG = ContainerConfig()
CASES: list[tuple[dict[str, Any], dict[str, Any], str]] = [
    ({"network_mode": "container:"}, {},
     "invalid network mode: invalid container format container:<name|id>"),
    ({"network_mode": "container:x"}, {"hostname": "h"},
     "conflicting options: hostname and the network mode"),
    ({"network_mode": "container:x", "links": ("a",)}, {},
     ("conflicting options: container type network can't be used with links."
     " This would result in undefined behavior")),
    ({"network_mode": "container:x", "dns": ("1.1.1.1",)}, {},
     "conflicting options: dns and the network mode"),
    ({"network_mode": "container:x", "extra_hosts": ("a:1.1.1.1",)}, {},
     "conflicting options: custom host-to-IP mapping and the network mode"),
    ({"network_mode": "container:x", "publish_all_ports": True}, {},
     "conflicting options: port publishing and the container type network mode"),
    ({"network_mode": "container:x"}, {"exposed_ports": {"80/tcp": {}}},
     "conflicting options: port exposing and the container type network mode"),
    ({"network_mode": "host", "links": ("a",)}, {},
     ("conflicting options: host type networking can't be used with links."
     " This would result in undefined behavior")),
    ({"uts_mode": "host"}, {"hostname": "h"}, "conflicting options: hostname and the UTS mode"),
    ({"auto_remove": True, "restart_policy": RestartPolicy(name="always")}, {},
     "can't create 'AutoRemove' container with restart policy"),
    ({"restart_policy": RestartPolicy(name="sometimes")}, {},
     ("invalid restart policy: unknown policy 'sometimes'; use one of 'no', 'always',"
     " 'on-failure', or 'unless-stopped'")),
    ({"restart_policy": RestartPolicy(name="always", maximum_retry_count=2)}, {},
     "invalid restart policy: maximum retry count can only be used with 'on-failure'"),
    ({"restart_policy": RestartPolicy(name="on-failure", maximum_retry_count=-2)}, {},
     "invalid restart policy: maximum retry count cannot be negative"),
    ({"extra_hosts": ("a",)}, {}, 'bad format for add-host: "a"'),
    ({"extra_hosts": ("a:b",)}, {}, 'invalid IP address in add-host: "b"'),
    ({"port_bindings": {"0/tcp": None}}, {}, 'invalid port specification: "0/tcp"'),
    ({"port_bindings": {"80/tcp": (PortBinding(host_port="x"),)}}, {},
     'invalid port specification: "x"'),
    ({"port_bindings": {"80/tcp": (PortBinding(host_ip="1.2.3"),)}}, {},
     "invalid IP address: 1.2.3"),
    ({"cap_add": ("FLY",)}, {}, 'invalid CapAdd: unknown capability: "CAP_FLY"'),
    ({"cap_drop": ("FLY",)}, {}, 'invalid CapDrop: unknown capability: "CAP_FLY"'),
    ({"annotations": {"": "x"}}, {},
     "invalid Annotations: the empty string is not permitted as an annotation key"),
    ({"ipc_mode": "x"}, {}, "invalid IPC mode: x"),
    ({"pid_mode": "container:"}, {}, "invalid PID mode: container:"),
    ({"uts_mode": "x"}, {}, "invalid UTS mode: x"),
    ({"cgroupns_mode": "x"}, {}, "invalid cgroup namespace mode: x"),
    ({"shm_size": -1}, {}, "SHM size can not be less than 0"),
    ({"oom_score_adj": 1001}, {},
     "Invalid value 1001, range for oom score adj is [-1000, 1000]"),
    ({"memory": 1}, {}, "Minimum memory limit allowed is 6MB"),
    ({"isolation": "hyperv"}, {}, "invalid isolation (hyperv): linux only supports 'default'"),
    ({"device_cgroup_rules": ("x",)}, {}, "invalid device cgroup rule format: 'x'"),
    ({"security_opt": ("x",)}, {}, 'invalid --security-opt 1: "x"'),
    ({"sysctls": {"vm.swappiness": "1"}}, {},
     'sysctl "vm.swappiness" is not in a separate kernel namespace'),
    ({"sysctls": {"net.core.somaxconn": "1"}, "network_mode": "host"}, {},
     'sysctl "net.core.somaxconn" not allowed in host network namespace'),
    ({"userns_mode": "private"}, {},
     "invalid userns mode: private: it can be host, or not given"),
]  # fmt: skip


@pytest.mark.parametrize(("host", "config", "message"), CASES)
def test_a_wrong_host_config_is_refused(
    host: dict[str, Any], config: dict[str, Any], message: str
) -> None:
    with pytest.raises(InvalidArgument) as caught:
        checked_host(HostConfig(**host), ContainerConfig(**config), V1)
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("host", "message"),
    [
        (
            {"device_requests": (DeviceRequest(count=-1, capabilities=(("gpu",),)),)},
            'could not select device driver "" with capabilities: [[gpu]]',
        ),
        ({"cgroup": "container:x"}, "HostConfig.Cgroup"),
    ],
)
def test_what_knarr_does_not_do_is_refused_by_name(host: dict[str, Any], message: str) -> None:
    with pytest.raises(Unsupported) as caught:
        checked_host(HostConfig(**host), NO_CONFIG, V1)
    assert message in str(caught.value)


def test_the_daemons_size_is_for_containers_without_their_own() -> None:
    daemons = Defaults(storage_opt={"size": "10G"})
    assert completed(HostConfig(), V1, daemons).storage_opt == {"size": "10G"}
    asked = HostConfig(storage_opt={"size": "1G"})
    assert completed(asked, V1, daemons).storage_opt == {"size": "1G"}
    assert completed(asked, V1, Defaults()).storage_opt == {"size": "1G"}


@pytest.mark.parametrize("port", ["80", "80/tcp", "80-90/udp", "53/UDP", "7/sctp"])
def test_ports_as_clients_write_them(port: str) -> None:
    host = HostConfig(port_bindings={port: (PortBinding(host_ip="::1", host_port="0"),)})
    assert checked_host(host, NO_CONFIG, V1)[1] == ()


def test_published_ports_on_the_host_network_are_discarded_with_a_warning() -> None:
    host = HostConfig(network_mode="host", port_bindings={"80/tcp": None})
    _, warnings = checked_host(host, NO_CONFIG, V1)
    assert warnings == ("Published ports are discarded when using host network mode",)


def test_defaults_are_filled_in() -> None:
    host = completed(HostConfig(memory=1 << 24), V1, Defaults())
    assert host.memory_swap == 1 << 25
    assert (host.ipc_mode, host.cgroupns_mode, host.network_mode) == ("private", "host", "bridge")
    assert (host.shm_size, host.oom_kill_disable) == (64 << 20, False)
    assert host.restart_policy == RestartPolicy(name="no")
    assert host.log_config == LogConfig(type="json-file")
    assert (host.masked_paths, host.readonly_paths) == (MASKED_PATHS, READONLY_PATHS)


def test_with_cgroups_v2_the_namespace_is_private() -> None:
    assert completed(HostConfig(), V2, Defaults()).cgroupns_mode == "private"


def test_null_paths_are_the_default_and_empty_ones_are_none() -> None:
    given = decode('{"MaskedPaths": [], "ReadonlyPaths": null}', HostConfig)
    host = completed(given, V1, Defaults())
    assert (host.masked_paths, host.readonly_paths) == ((), READONLY_PATHS)


def test_a_privileged_container_hides_nothing() -> None:
    host = completed(HostConfig(privileged=True), V1, Defaults())
    assert (host.masked_paths, host.readonly_paths) == (None, None)


def test_what_is_said_stays() -> None:
    said = HostConfig(
        memory=1 << 24,
        memory_swap=-1,
        ipc_mode="host",
        log_config=LogConfig(type="none"),
        restart_policy=RestartPolicy(name="always"),
    )
    host = completed(said, V1, Defaults())
    assert (host.memory_swap, host.ipc_mode) == (-1, "host")
    assert (host.log_config, host.restart_policy) == (said.log_config, said.restart_policy)


def test_the_daemons_log_options_count_for_its_own_driver() -> None:
    own = Defaults(log_config=LogConfig(type="local", config={"max-size": "1m", "max-file": "2"}))

    def logs(said: LogConfig | None) -> LogConfig | None:
        return completed(HostConfig(log_config=said), V1, own).log_config

    assert logs(None) == own.log_config
    assert logs(LogConfig()) == own.log_config
    assert logs(LogConfig(type="local", config={"max-file": "9"})) == LogConfig(
        type="local", config={"max-size": "1m", "max-file": "9"}
    )
    assert logs(LogConfig(type="none")) == LogConfig(type="none")


def test_errors_are_knarrs_own() -> None:
    with pytest.raises(KnarrError):
        checked_host(HostConfig(network_mode="container:"), NO_CONFIG, V1)
