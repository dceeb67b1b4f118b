"""What a client may ask for: refused in Docker's words, and completed with Docker's defaults.

Source: Engine API, ContainerCreate; the sentences are those that clients match on.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import Final

from msgspec.structs import replace

from knarr.container import capabilities, limits
from knarr.container.devices import check_devices
from knarr.container.environment import check_environment
from knarr.container.machine import Machine
from knarr.container.namespaces import check_modes, is_own, joined_container
from knarr.container.security import security_options
from knarr.container.signals import signal_number
from knarr.container.sysctls import check_sysctls
from knarr.errors import InvalidArgument, Unsupported
from knarr.snapshot import wanted_size
from knarr.spec.docker.container import (
    ContainerConfig,
    DeviceRequest,
    HostConfig,
    LogConfig,
    RestartPolicy,
)
from knarr.spec.docker.health import HealthConfig

HOSTNAME_MAX: Final = 64
HEALTH_DURATION_MIN_NS: Final = 1_000_000
HEALTH_TESTS: Final = ("NONE", "CMD", "CMD-SHELL")
_PORT: Final = re.compile(r"(\d{1,5})(?:-(\d{1,5}))?")
_PORT_KEY: Final = re.compile(r"(\d{1,5})(?:-(\d{1,5}))?(?:/(\w+))?")
_PROTOCOLS: Final = ("tcp", "udp", "sctp")
_HOST_GATEWAY: Final = "host-gateway"
_POLICIES: Final = ("no", "always", "on-failure", "unless-stopped")

MASKED_PATHS: Final = (
    "/proc/acpi", "/proc/asound", "/proc/interrupts", "/proc/kcore", "/proc/keys",
    "/proc/latency_stats", "/proc/sched_debug", "/proc/scsi", "/proc/timer_list",
    "/proc/timer_stats", "/sys/devices/virtual/powercap", "/sys/firmware",
)  # fmt: skip
READONLY_PATHS: Final = (
    "/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Defaults:
    """What the daemon's own configuration says for containers that do not."""

    shm_size_bytes: int = 64 * 1024**2
    ipc_mode: str = "private"
    log_config: LogConfig = field(default_factory=lambda: LogConfig(type="json-file"))
    runtime: str = ""
    init: bool = False
    storage_opt: Mapping[str, str] = field(default_factory=dict)


def checked_config(config: ContainerConfig) -> ContainerConfig:
    """``config`` as it may be kept. Raises InvalidArgument for what makes no sense."""
    if len(config.hostname) > HOSTNAME_MAX:
        raise InvalidArgument(
            f'hostname "{config.hostname}" is too long (maximum {HOSTNAME_MAX} bytes)'
        )
    if config.working_dir and not config.working_dir.startswith("/"):
        raise InvalidArgument(
            f"the working directory '{config.working_dir}' is invalid, it needs to be an"
            " absolute path"
        )
    if config.stop_signal:
        signal_number(config.stop_signal)
    check_environment(config.env)
    for port in config.exposed_ports or ():
        _check_port_key(port)
    if config.healthcheck is not None:
        _check_health(config.healthcheck)
    return config


def _check_health(health: HealthConfig) -> None:
    for name, value_ns in (
        ("Interval", health.interval),
        ("Timeout", health.timeout),
        ("StartPeriod", health.start_period),
        ("StartInterval", health.start_interval),
    ):
        if value_ns and value_ns < HEALTH_DURATION_MIN_NS:
            raise InvalidArgument(f"{name} in Healthcheck cannot be less than 1ms")
    if health.retries < 0:
        raise InvalidArgument("Retries in Healthcheck cannot be negative")


def checked_host(
    host: HostConfig, config: ContainerConfig, machine: Machine
) -> tuple[HostConfig, tuple[str, ...]]:
    """What of ``host`` can be honoured here, and warnings about the rest.

    Raises InvalidArgument for what makes no sense, Unsupported for what knarr does not do.
    """
    _check_network_mode(host, config)
    _check_unsupported(host)
    check_restart_policy(host.restart_policy, auto_remove=host.auto_remove)
    for entry in host.extra_hosts:
        _check_extra_host(entry)
    _check_port_bindings(host)
    _check_capabilities(host, machine)
    if "" in host.annotations:
        raise InvalidArgument(
            "invalid Annotations: the empty string is not permitted as an annotation key"
        )
    possible, warnings = limits.checked(host, machine)
    check_modes(
        ipc=host.ipc_mode,
        pid=host.pid_mode,
        uts=host.uts_mode,
        cgroupns=host.cgroupns_mode,
        userns=host.userns_mode,
    )
    if host.shm_size < 0:
        raise InvalidArgument("SHM size can not be less than 0")
    if not -1000 <= host.oom_score_adj <= 1000:
        raise InvalidArgument(
            f"Invalid value {host.oom_score_adj}, range for oom score adj is [-1000, 1000]"
        )
    limits.check_ulimits(host.ulimits)
    check_devices(host.devices, host.device_cgroup_rules)
    security_options(host.security_opt)
    check_sysctls(
        host.sysctls or {},
        own_network=is_own(host.network_mode),
        own_ipc=is_own(host.ipc_mode),
        own_uts=is_own(host.uts_mode),
    )
    return possible, (*warnings, *_warnings(host, config, machine))


def _warnings(host: HostConfig, config: ContainerConfig, machine: Machine) -> tuple[str, ...]:
    found: list[str] = []
    test = config.healthcheck.test if config.healthcheck is not None else ()
    if test and test[0] not in HEALTH_TESTS:
        found.append(
            f"Unknown type '{test[0]}' in Healthcheck: the container is not probed. Write CMD,"
            " CMD-SHELL or NONE before the command."
        )
    if host.network_mode == "host" and host.port_bindings:
        found.append("Published ports are discarded when using host network mode")
    if host.cgroupns_mode == "private" and not machine.cgroup_namespaces:
        found.append(
            "Your kernel does not support cgroup namespaces.  Cgroup namespace setting discarded."
        )
    _, limited = limits.rlimits(host.ulimits, machine)
    _, scored = limits.oom_score(host.oom_score_adj, machine)
    return (*found, *limited, *scored)


def _check_network_mode(host: HostConfig, config: ContainerConfig) -> None:
    joined = joined_container(host.network_mode)
    if joined is None:
        if host.uts_mode == "host" and config.hostname:
            raise InvalidArgument("conflicting options: hostname and the UTS mode")
        if host.network_mode == "host" and host.links:
            raise InvalidArgument(
                "conflicting options: host type networking can't be used with links."
                " This would result in undefined behavior"
            )
        return
    if not joined:
        raise InvalidArgument("invalid network mode: invalid container format container:<name|id>")
    conflicts: Mapping[str, object] = {
        "hostname and the network mode": config.hostname,
        "container type network can't be used with links."
        " This would result in undefined behavior": host.links,
        "dns and the network mode": host.dns,
        "custom host-to-IP mapping and the network mode": host.extra_hosts,
        "port publishing and the container type network mode": (
            host.port_bindings or host.publish_all_ports
        ),
        "port exposing and the container type network mode": config.exposed_ports,
    }
    for what, given in conflicts.items():
        if given:
            raise InvalidArgument(f"conflicting options: {what}")


def _check_unsupported(host: HostConfig) -> None:
    if host.isolation.lower() not in ("", "default"):
        raise InvalidArgument(
            f"invalid isolation ({host.isolation}): linux only supports 'default'"
        )
    wanted_size(host.storage_opt)
    if host.cgroup:
        raise Unsupported("HostConfig.Cgroup (joining another container's cgroup) is not supported")
    for request in host.device_requests:
        raise Unsupported(_no_driver(request))


def _no_driver(request: DeviceRequest) -> str:
    wanted = " ".join("[" + " ".join(alternative) + "]" for alternative in request.capabilities)
    return f'could not select device driver "{request.driver}" with capabilities: [{wanted}]'


def check_restart_policy(policy: RestartPolicy | None, *, auto_remove: bool) -> None:
    """Raises InvalidArgument in Docker's words; no policy, and an empty name, mean ``no``."""
    if policy is None or not policy.name:
        return
    if policy.name not in _POLICIES:
        raise InvalidArgument(
            f"invalid restart policy: unknown policy '{policy.name}'; use one of"
            " 'no', 'always', 'on-failure', or 'unless-stopped'"
        )
    if auto_remove and policy.name != "no":
        raise InvalidArgument("can't create 'AutoRemove' container with restart policy")
    if policy.name != "on-failure" and policy.maximum_retry_count:
        negative = " and cannot be negative" if policy.maximum_retry_count < 0 else ""
        raise InvalidArgument(
            "invalid restart policy: maximum retry count can only be used with 'on-failure'"
            + negative
        )
    if policy.maximum_retry_count < 0:
        raise InvalidArgument("invalid restart policy: maximum retry count cannot be negative")


def _check_extra_host(entry: str) -> None:
    name, colon, address = entry.partition(":")
    if not colon or not name:
        raise InvalidArgument(f'bad format for add-host: "{entry}"')
    if address == _HOST_GATEWAY:
        return
    try:
        ip_address(address.removeprefix("[").removesuffix("]"))
    except ValueError as error:
        raise InvalidArgument(f'invalid IP address in add-host: "{address}"') from error


def _check_port_bindings(host: HostConfig) -> None:
    for port, bindings in host.port_bindings.items():
        _check_port_key(port)
        for binding in bindings or ():
            if binding.host_port and not _is_port_range(binding.host_port):
                raise InvalidArgument(f'invalid port specification: "{binding.host_port}"')
            if binding.host_ip:
                _check_host_ip(binding.host_ip)


def _check_host_ip(text: str) -> None:
    try:
        ip_address(text.removeprefix("[").removesuffix("]"))
    except ValueError as error:
        raise InvalidArgument(f"invalid IP address: {text}") from error


def _check_port_key(text: str) -> None:
    match = _PORT_KEY.fullmatch(text)
    numbers = [int(each) for each in match.groups()[:2] if each] if match else [0]
    if match is None or not all(0 < number < 65536 for number in numbers):
        raise InvalidArgument(f'invalid port specification: "{text}"')
    if match[3] and match[3].lower() not in _PROTOCOLS:
        raise InvalidArgument(f"invalid proto: {match[3]}")


def _is_port_range(text: str) -> bool:
    """A number or two; 0 asks for any free one."""
    if (match := _PORT.fullmatch(text)) is None:
        return False
    first, last = int(match[1]), int(match[2] or match[1])
    return first <= last < 65536


def _check_capabilities(host: HostConfig, machine: Machine) -> None:
    for name, given in (("CapAdd", host.cap_add), ("CapDrop", host.cap_drop)):
        try:
            capabilities.normalized(given, machine.capabilities)
        except InvalidArgument as error:
            raise InvalidArgument(f"invalid {name}: {error}") from error


def completed(host: HostConfig, machine: Machine, defaults: Defaults) -> HostConfig:
    """``host`` with every default filled in, as inspect shows it."""
    v2 = machine.cgroup_version == 2
    return replace(
        host,
        network_mode=_network_mode(host),
        memory_swap=host.memory_swap or host.memory * 2,
        shm_size=host.shm_size or defaults.shm_size_bytes,
        ipc_mode=host.ipc_mode or defaults.ipc_mode,
        cgroupns_mode=host.cgroupns_mode or ("private" if v2 else "host"),
        oom_kill_disable=host.oom_kill_disable if v2 else bool(host.oom_kill_disable),
        restart_policy=_restart_policy(host),
        log_config=_log_config(host, defaults),
        runtime=host.runtime or defaults.runtime or None,
        storage_opt={**defaults.storage_opt, **host.storage_opt},
        masked_paths=_paths(
            host.masked_paths, host, default=(*MASKED_PATHS, *machine.thermal_paths)
        ),
        readonly_paths=_paths(host.readonly_paths, host, default=READONLY_PATHS),
    )


def _network_mode(host: HostConfig) -> str:
    return "bridge" if host.network_mode in ("", "default") else host.network_mode


def _restart_policy(host: HostConfig) -> RestartPolicy:
    policy = host.restart_policy or RestartPolicy()
    return policy if policy.name else replace(policy, name="no")


def _log_config(host: HostConfig, defaults: Defaults) -> LogConfig:
    """The daemon's options count too, where a container has the daemon's driver."""
    config, default = host.log_config or LogConfig(), defaults.log_config
    if config.type not in ("", default.type):
        return config
    return LogConfig(type=default.type, config={**default.config, **config.config})


def _paths(
    given: tuple[str, ...] | None, host: HostConfig, *, default: tuple[str, ...]
) -> tuple[str, ...] | None:
    """An empty list hides nothing; an absent one hides what it should, unless privileged."""
    if given is not None or host.privileged:
        return given
    return default
