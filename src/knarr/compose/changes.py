"""Why a container is not what its service says any more: attribute by attribute, old and new.

The hash in a container's label tells *that* something changed. What it was is read off the
container itself, so that it is known for containers of any maker.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from knarr.compose import labels
from knarr.compose.value import Value
from knarr.spec.docker.container import ContainerCreate, ContainerInspect, HostConfig
from knarr.spec.docker.image import ImageConfig

_NOTHING: Final[tuple[Any, ...]] = (None, "", 0, False, (), {}, [])


class Change(Value):
    """One thing that differs. Empty texts: it was not, or will not be, there."""

    attribute: str
    old: str = ""
    new: str = ""

    def __str__(self) -> str:
        if not self.old and not self.new:
            return self.attribute
        return f"{self.attribute}: {self.old or 'nothing'} → {self.new or 'nothing'}"


# attribute, field of HostConfig, what the engine fills in when nothing is said
_HOST_FIELDS: Final[tuple[tuple[str, str, tuple[Any, ...]], ...]] = (
    ("privileged", "privileged", ()),
    ("read_only", "readonly_rootfs", ()),
    ("init", "init", ()),
    ("cap_add", "cap_add", ()),
    ("cap_drop", "cap_drop", ()),
    ("cgroup_parent", "cgroup_parent", ()),
    ("cgroup", "cgroupns_mode", ("host", "private")),
    ("cpus", "nano_cpus", ()),
    ("cpu_shares", "cpu_shares", ()),
    ("cpu_quota", "cpu_quota", ()),
    ("cpu_period", "cpu_period", ()),
    ("cpuset", "cpuset_cpus", ()),
    ("mem_limit", "memory", ()),
    ("mem_reservation", "memory_reservation", ()),
    ("memswap_limit", "memory_swap", ()),
    ("pids_limit", "pids_limit", ()),
    ("shm_size", "shm_size", (64 * 1024 * 1024,)),
    ("dns", "dns", ()),
    ("dns_search", "dns_search", ()),
    ("dns_opt", "dns_options", ()),
    ("extra_hosts", "extra_hosts", ()),
    ("group_add", "group_add", ()),
    ("ipc", "ipc_mode", ("private", "shareable")),
    ("pid", "pid_mode", ()),
    ("uts", "uts_mode", ()),
    ("userns_mode", "userns_mode", ()),
    ("network_mode", "network_mode", ("default",)),
    ("oom_score_adj", "oom_score_adj", ()),
    ("security_opt", "security_opt", ()),
    ("storage_opt", "storage_opt", ()),
    ("sysctls", "sysctls", ()),
    ("tmpfs", "tmpfs", ()),
    ("volumes_from", "volumes_from", ()),
    ("annotations", "annotations", ()),
)


def differences(
    body: ContainerCreate, before: ContainerInspect, image: ImageConfig | None
) -> list[Change]:
    """What would be different in a container created now. image: of the container before."""
    image = image or ImageConfig()
    return [
        *_image(body, before),
        *_config(body, before, image),
        *_pairs("environment", _env(body.env), _own_env(before, image)),
        *_pairs("labels", _foreign(body.labels), _own_labels(before, image)),
        *_ports(body, before),
        *_mounts(body, before),
        *_networks(body, before),
        *_host(body.host_config or HostConfig(), before.host_config or HostConfig()),
        *_policies(body.host_config or HostConfig(), before.host_config or HostConfig()),
    ]


def _image(body: ContainerCreate, before: ContainerInspect) -> Iterator[Change]:
    old = before.config.image if before.config else ""
    if old != body.image:
        yield Change(attribute="image", old=old, new=body.image)


def _config(
    body: ContainerCreate, before: ContainerInspect, image: ImageConfig
) -> Iterator[Change]:
    config = before.config
    if config is None:
        return
    rows = (
        ("command", body.cmd, config.cmd, image.cmd),
        ("entrypoint", body.entrypoint, config.entrypoint, image.entrypoint),
        ("hostname", body.hostname, config.hostname, before.id[:12]),
        ("domainname", body.domainname, config.domainname, ""),
        ("user", body.user, config.user, image.user),
        ("working_dir", body.working_dir, config.working_dir, image.working_dir),
        ("tty", body.tty, config.tty, False),
        ("stdin_open", body.open_stdin, config.open_stdin, False),
        ("stop_signal", body.stop_signal, config.stop_signal, image.stop_signal),
        ("stop_grace_period", body.stop_timeout, config.stop_timeout, None),
        ("healthcheck", body.healthcheck, config.healthcheck, image.healthcheck),
    )
    for attribute, wanted, actual, default in rows:
        effective = default if wanted in _NOTHING else wanted
        if not _same(effective, actual) and not _same(wanted, actual):
            yield Change(attribute=attribute, old=_shown(actual), new=_shown(wanted))


def _host(wanted: HostConfig, actual: HostConfig) -> Iterator[Change]:
    for attribute, field, defaults in _HOST_FIELDS:
        new, old = getattr(wanted, field), getattr(actual, field)
        if _same(new, old) or (new in _NOTHING and old in defaults):
            continue
        if attribute == "memswap_limit" and new in _NOTHING and old == 2 * actual.memory:
            continue  # what the engine makes of a memory limit alone
        yield Change(attribute=attribute, old=_shown(old), new=_shown(new))


def _policies(wanted: HostConfig, actual: HostConfig) -> Iterator[Change]:
    def restart(host: HostConfig) -> str:
        policy = host.restart_policy
        if policy is None or policy.name in ("", "no"):
            return ""
        count = policy.maximum_retry_count
        return f"{policy.name}:{count}" if count else policy.name

    if restart(wanted) != restart(actual):
        yield Change(attribute="restart", old=restart(actual), new=restart(wanted))
    log = wanted.log_config
    if log is not None and actual.log_config is not None and log.type and log != actual.log_config:
        yield Change(
            attribute="logging",
            old=_shown({actual.log_config.type: actual.log_config.config}),
            new=_shown({log.type: log.config}),
        )
    if {(u.name, u.soft, u.hard) for u in wanted.ulimits} != {
        (u.name, u.soft, u.hard) for u in actual.ulimits
    }:
        yield Change(attribute="ulimits", old=_limits(actual), new=_limits(wanted))
    if _devices(wanted) != _devices(actual):
        yield Change(attribute="devices", old=_devices(actual), new=_devices(wanted))


def _limits(host: HostConfig) -> str:
    return ", ".join(sorted(f"{u.name}={u.soft}:{u.hard}" for u in host.ulimits))


def _devices(host: HostConfig) -> str:
    return ", ".join(sorted(f"{d.path_on_host}:{d.path_in_container}" for d in host.devices))


def _pairs(attribute: str, new: Mapping[str, str], old: Mapping[str, str]) -> Iterator[Change]:
    for name in sorted({*new, *old}):
        if new.get(name) != old.get(name):
            yield Change(
                attribute=f"{attribute}.{name}", old=old.get(name, ""), new=new.get(name, "")
            )


def _env(entries: tuple[str, ...]) -> dict[str, str]:
    return {name: value for name, _, value in (entry.partition("=") for entry in entries)}


def _own_env(before: ContainerInspect, image: ImageConfig) -> dict[str, str]:
    """What was added to the image's environment, or differs from it."""
    actual = _env(before.config.env if before.config else ())
    given = _env(image.env)
    return {name: value for name, value in actual.items() if given.get(name) != value}


def _foreign(given: Mapping[str, str]) -> dict[str, str]:
    return {name: each for name, each in given.items() if not name.startswith(labels.PREFIX)}


def _own_labels(before: ContainerInspect, image: ImageConfig) -> dict[str, str]:
    actual = _foreign(before.config.labels if before.config else {})
    return {name: each for name, each in actual.items() if image.labels.get(name) != each}


def _ports(body: ContainerCreate, before: ContainerInspect) -> Iterator[Change]:
    def published(host: HostConfig | None) -> str:
        bindings = host.port_bindings if host else {}
        return ", ".join(
            sorted(
                f"{each.host_ip + ':' if each.host_ip else ''}{each.host_port}→{port}"
                for port, several in bindings.items()
                for each in several or ()
            )
        )

    old, new = published(before.host_config), published(body.host_config)
    if old != new:
        yield Change(attribute="ports", old=old, new=new)


def _mounts(body: ContainerCreate, before: ContainerInspect) -> Iterator[Change]:
    old, new = (
        _places(before.host_config or HostConfig()),
        _places(body.host_config or HostConfig()),
    )
    for target in sorted({*old, *new}):
        if old.get(target) != new.get(target):
            yield Change(
                attribute="volumes",
                old=f"{old[target]}:{target}" if target in old else "",
                new=f"{new[target]}:{target}" if target in new else "",
            )


def _places(host: HostConfig) -> dict[str, str]:
    """What is mounted where, ``(ro)`` behind what is read-only; anonymous volumes have no name."""
    places = {}
    for bind in host.binds:
        source, target, *options = bind.split(":")
        read_only = " (ro)" if "ro" in ",".join(options).split(",") else ""
        places[target] = source + read_only
    for mount in host.mounts:
        if mount.source or mount.type != "volume":
            places[mount.target] = (mount.source or mount.type) + " (ro)" * mount.read_only
    return places


def _networks(body: ContainerCreate, before: ContainerInspect) -> Iterator[Change]:
    wanted = body.networking_config.endpoints_config if body.networking_config else {}
    actual = before.network_settings.networks if before.network_settings else {}
    for name, endpoint in sorted(wanted.items()):
        known = actual.get(name)
        if known is None:
            yield Change(attribute="networks", new=name)
            continue
        missing = [each for each in endpoint.aliases if each not in known.aliases]
        if missing:
            yield Change(attribute=f"networks.{name}.aliases", new=", ".join(missing))


def _same(one: Any, two: Any) -> bool:
    if one in _NOTHING and two in _NOTHING:
        return True
    if isinstance(one, tuple) and isinstance(two, tuple):
        return one == two or sorted(map(str, one)) == sorted(map(str, two))
    return bool(one == two)


def _shown(value: Any) -> str:
    show: Callable[[Any], str] = str
    match value:
        case None | False:
            return ""
        case True:
            return "true"
        case tuple() | list():
            return " ".join(map(show, value))
        case dict():
            return ", ".join(f"{key}={item}" for key, item in sorted(value.items()))
    test = getattr(value, "test", None)
    return " ".join(test) if test is not None else show(value)
