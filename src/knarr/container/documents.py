"""Containers as the Engine API shows them: from the model to documents, purely."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from knarr.container.model import Container, Status
from knarr.container.mounts import mount_points
from knarr.spec.docker.container import (
    ContainerInspect,
    ContainerState,
    ContainerSummary,
    EndpointSettings,
    HealthSummary,
    NetworkSettings,
    PortBinding,
    PortSummary,
    SummaryHostConfig,
    SummaryNetworkSettings,
)
from knarr.spec.docker.storage import DriverData
from knarr.units import human_duration
from knarr.units import timestamp as timestamp

Ports = Mapping[str, Sequence[PortBinding] | None]  # "80/tcp" to where it is published


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What other rooms know of a container, gathered for one answer.

    sizes: bytes of the writable layer, and of it and the image's layers together; None unasked.
    """

    networks: Mapping[str, EndpointSettings] = field(default_factory=dict)
    ports: Ports = field(default_factory=dict)
    sandbox_id: str = ""
    sandbox_key: str = ""
    exec_ids: Sequence[str] = ()
    folder: str = ""
    log_path: str = ""
    driver: str = ""
    apparmor_profile: str = ""
    driver_data: Mapping[str, str] = field(default_factory=dict)
    sizes: tuple[int, int] | None = None


def argv(container: Container) -> tuple[str, ...]:
    """The program and its arguments: entrypoint, then command."""
    config = container.record.config
    return (*(config.entrypoint or ()), *(config.cmd or ()))


def inspect(container: Container, around: Surroundings) -> ContainerInspect:
    """Everything about one container."""
    record = container.record
    words = argv(container)
    return ContainerInspect(
        id=container.id,
        created=timestamp(container.created_ns),
        path=words[0] if words else "",
        args=words[1:],
        state=_state(container),
        image=container.image,
        resolv_conf_path=f"{around.folder}/resolv.conf",
        hostname_path=f"{around.folder}/hostname",
        hosts_path=f"{around.folder}/hosts",
        log_path=around.log_path,
        name=f"/{container.name}",
        restart_count=container.state.restart_count,
        driver=around.driver,
        platform=record.platform,
        app_armor_profile=around.apparmor_profile,
        exec_ids=tuple(around.exec_ids) or None,
        host_config=record.host,
        graph_driver=DriverData(name=around.driver, data=dict(around.driver_data)),
        size_rw=around.sizes[0] if around.sizes else None,
        size_rootfs=around.sizes[1] if around.sizes else None,
        mounts=mount_points(record.mounts),
        config=record.config,
        network_settings=NetworkSettings(
            sandbox_id=around.sandbox_id,
            sandbox_key=around.sandbox_key,
            ports={port: _bindings(found) for port, found in around.ports.items()},
            networks=dict(around.networks),
        ),
    )


def _bindings(found: Sequence[PortBinding] | None) -> tuple[PortBinding, ...] | None:
    return tuple(found) if found is not None else None


def _state(container: Container) -> ContainerState:
    state, status = container.state, container.status
    return ContainerState(
        status=status.value,
        running=container.alive or status is Status.RESTARTING,
        paused=status is Status.PAUSED,
        restarting=status is Status.RESTARTING,
        oom_killed=state.oom_killed,
        dead=status is Status.DEAD,
        pid=state.pid,
        exit_code=state.exit_code,
        error=state.error,
        started_at=timestamp(state.started_ns),
        finished_at=timestamp(state.finished_ns),
        health=state.health,
    )


def summary(container: Container, around: Surroundings, now_ns: int) -> ContainerSummary:
    """One row of ``ps``."""
    record = container.record
    return ContainerSummary(
        id=container.id,
        names=(f"/{container.name}",),
        image=record.image_name,
        image_id=container.image,
        command=_command(argv(container)),
        created=container.created_ns // 1_000_000_000,
        ports=port_summaries(around.ports) if container.alive else (),
        size_rw=around.sizes[0] if around.sizes else None,
        size_rootfs=around.sizes[1] if around.sizes else None,
        labels=record.config.labels,
        state=container.status.value,
        status=status_text(container, now_ns),
        host_config=SummaryHostConfig(
            network_mode=record.host.network_mode, annotations=record.host.annotations
        ),
        network_settings=SummaryNetworkSettings(networks=dict(around.networks)),
        mounts=mount_points(record.mounts),
        health=_health(container),
    )


def _health(container: Container) -> HealthSummary | None:
    health = container.state.health
    if health is None:
        return None
    return HealthSummary(status=health.status, failing_streak=health.failing_streak)


def _command(words: Sequence[str]) -> str:
    """Docker quotes an argument that holds a space, and nothing else."""
    return " ".join(
        f"'{word}'" if place and " " in word else word for place, word in enumerate(words)
    )


def status_text(container: Container, now_ns: int) -> str:
    """``Up 5 minutes (healthy)``, ``Exited (0) 2 hours ago``: as ``ps`` shows it."""
    state = container.state
    match container.status:
        case Status.RUNNING | Status.PAUSED:
            note = _note(container)
            return f"Up {_since(state.started_ns, now_ns)}{note}"
        case Status.RESTARTING:
            return f"Restarting ({state.exit_code}) {_since(state.finished_ns, now_ns)} ago"
        case Status.REMOVING:
            return "Removal In Progress"
        case Status.DEAD:
            return "Dead"
        case Status.CREATED:
            return "Created"
        case Status.EXITED:
            return f"Exited ({state.exit_code}) {_since(state.finished_ns, now_ns)} ago"


def _since(then_ns: int, now_ns: int) -> str:
    return human_duration(max(0, now_ns - then_ns) / 1_000_000_000)


def _note(container: Container) -> str:
    if container.status is Status.PAUSED:
        return " (Paused)"
    health = container.state.health
    if health is None or health.status in ("", "none"):
        return ""
    return f" ({'health: starting' if health.status == 'starting' else health.status})"


def port_summaries(ports: Ports) -> tuple[PortSummary, ...]:
    """Each published address of each port, and each port that is only exposed."""
    found: list[PortSummary] = []
    for spelled, bindings in ports.items():
        number, _, protocol = spelled.partition("/")
        private = int(number)
        if not bindings:
            found.append(PortSummary(private_port=private, type=protocol or "tcp"))
        found.extend(
            PortSummary(
                ip=binding.host_ip,
                private_port=private,
                public_port=int(binding.host_port),
                type=protocol or "tcp",
            )
            for binding in bindings or ()
        )
    return tuple(found)


def event_attributes(container: Container) -> dict[str, str]:
    """What each event of a container tells: its image, its name, its labels."""
    record = container.record
    return {**record.config.labels, "image": record.image_name, "name": container.name}
