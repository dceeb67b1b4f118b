"""The runtime spec of a container, and the process document of an exec: pure functions of facts.

What a plan cannot know by itself (where the root is, what the image's passwd says, which devices
the host has) is looked up before and handed in as Surroundings.
"""

import posixpath
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from msgspec.structs import replace

from knarr.container import limits, seccomp
from knarr.container.capabilities import granted
from knarr.container.devices import (
    DevicePlan,
    FoundDevices,
    HostDevice,
    device_plan,
    privileged_device_plan,
)
from knarr.container.environment import environment, overridden
from knarr.container.machine import Machine
from knarr.container.merge import command_line
from knarr.container.namespaces import is_own, joined_container
from knarr.container.runtime_mounts import (
    NetworkFiles,
    SourceFacts,
    root_propagation,
    runtime_mounts,
)
from knarr.container.security import UNCONFINED, SecurityOptions, security_options
from knarr.container.sysctls import sysctls
from knarr.container.users import identity
from knarr.errors import InvalidArgument, Unsupported
from knarr.kernel.owners import Owners
from knarr.spec.docker.container import ContainerConfig, HostConfig
from knarr.spec.docker.exec import ExecCreate
from knarr.spec.oci import runtime as oci
from knarr.spec.record import MountPlan

INIT_PATH: Final = "/sbin/docker-init"  # where Docker puts it; programs look for it there
_CGROUP_PARENT: Final = "/knarr"


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What was looked up for one start of one container.

    hostname: the container's, already decided (short ID, the host's, or what was asked for).
    passwd, group: the text of the image's files, empty where it has none.
    sources: what is at each source of ``mounts``.
    network_namespace: path of the namespace to join; empty for the host's own.
    kernel_settings: of the interfaces in it.
    joined_ipc, joined_pid: paths of another container's namespaces, for ``container:`` modes.
    shm_source: the shared /dev/shm for IpcMode shareable, host and ``container:``.
    found_devices: for every PathOnHost of Devices; host_devices: all, for privileged ones.
    block_devices: numbers of the paths that limits.block_devices names.
    link_environment: variables of legacy links.
    owners, user_namespace: of the user namespace to join, and its path; None for the host's own.
    """

    id: str
    rootfs: str
    hostname: str
    passwd: str = ""
    group: str = ""
    mounts: tuple[MountPlan, ...] = ()
    sources: Mapping[str, SourceFacts] = field(default_factory=dict)
    files: NetworkFiles = field(default_factory=NetworkFiles)
    network_namespace: str = ""
    kernel_settings: Mapping[str, str] = field(default_factory=dict)
    joined_ipc: str = ""
    joined_pid: str = ""
    shm_source: str = ""
    found_devices: FoundDevices = field(default_factory=dict)
    host_devices: Sequence[HostDevice] = ()
    block_devices: limits.DeviceNumbers = field(default_factory=dict)
    link_environment: tuple[str, ...] = ()
    init: bool = False
    owners: Owners | None = None
    user_namespace: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """The bundle's spec, and what a person should know about it."""

    spec: oci.Spec
    warnings: tuple[str, ...] = ()


def runtime_spec(
    config: ContainerConfig, host: HostConfig, around: Surroundings, machine: Machine
) -> Plan:
    """The whole spec of a container.

    config: merged with the image's. host: checked and completed by settings.
    Raises InvalidArgument for a user or device that is not there, Unsupported for an init that is
    not installed.
    """
    security = security_options(host.security_opt)
    process, warnings = _process(config, host, around, machine, security)
    init = _init_mount(host, around, machine)
    mounts = runtime_mounts(
        around.mounts,
        host,
        around.files,
        shm_source=around.shm_source,
        writable_cgroups=_writable_cgroups(host, security),
        recursive_read_only=machine.recursive_read_only,
        sources=around.sources,
        user=process.user,
        owners=around.owners,
    )
    own_uts = is_own(host.uts_mode)
    spec = oci.Spec(
        oci_version=oci.OCI_VERSION,
        process=process,
        root=oci.Root(path=around.rootfs, readonly=host.readonly_rootfs),
        hostname=around.hostname if own_uts else "",
        # The setting is the host's root's alone to write; runc knows the field from 1.2 on.
        domainname=config.domainname if own_uts and around.owners is not None else "",
        mounts=(*mounts, *init),
        annotations=host.annotations,
        linux=_linux(config, host, around, machine, security),
    )
    return Plan(spec=spec, warnings=warnings)


def _process(
    config: ContainerConfig,
    host: HostConfig,
    around: Surroundings,
    machine: Machine,
    security: SecurityOptions,
) -> tuple[oci.Process, tuple[str, ...]]:
    who = identity(config.user, passwd=around.passwd, group=around.group, group_add=host.group_add)
    rlimits, limit_warnings = limits.rlimits(host.ulimits, machine)
    score, score_warnings = limits.oom_score(host.oom_score_adj, machine)
    init = (INIT_PATH, "--") if _wants_init(host, around) else ()
    process = oci.Process(
        args=(*init, *command_line(config)),
        cwd=posixpath.normpath(config.working_dir or "/"),
        user=oci.User(uid=who.uid, gid=who.gid, additional_gids=who.groups),
        terminal=config.tty,
        console_size=_console_size(host.console_size) if config.tty else None,
        env=environment(
            config.env,
            hostname=around.hostname,
            home=who.home,
            tty=config.tty,
            links=around.link_environment,
        ),
        capabilities=_capabilities(
            granted(host.cap_add, host.cap_drop, machine.capabilities, privileged=host.privileged)
        ),
        rlimits=rlimits,
        no_new_privileges=security.no_new_privileges,
        apparmor_profile=apparmor_profile(host, machine, security),
        oom_score_adj=score,
    )
    return process, (*limit_warnings, *score_warnings)


def _capabilities(names: tuple[str, ...]) -> oci.Capabilities:
    """No inheritable and no ambient ones: a program of another user shall not gain them."""
    return oci.Capabilities(bounding=names, effective=names, permitted=names)


def _console_size(size: tuple[int, ...] | None) -> oci.Box | None:
    """ConsoleSize is height and width; zeros mean that the client does not know."""
    match size:
        case (height, width) if height > 0 and width > 0:
            return oci.Box(height=height, width=width)
    return None


def apparmor_profile(host: HostConfig, machine: Machine, security: SecurityOptions) -> str:
    """By its name; empty where AppArmor is off."""
    if not machine.apparmor_profile:
        return ""
    default = UNCONFINED if host.privileged else machine.apparmor_profile
    return security.apparmor or default


def _writable_cgroups(host: HostConfig, security: SecurityOptions) -> bool:
    return host.privileged if security.writable_cgroups is None else security.writable_cgroups


def _wants_init(host: HostConfig, around: Surroundings) -> bool:
    """An init makes sense only where the container's process is number 1."""
    return is_own(host.pid_mode) and (around.init if host.init is None else host.init)


def _init_mount(host: HostConfig, around: Surroundings, machine: Machine) -> tuple[oci.Mount, ...]:
    if not _wants_init(host, around):
        return ()
    if not machine.init_path:
        raise Unsupported(
            "--init needs a small static init on the host: install tini (or catatonit)"
        )
    return (
        oci.Mount(
            destination=INIT_PATH, type="bind", source=machine.init_path, options=("bind", "ro")
        ),
    )


def _linux(
    config: ContainerConfig,
    host: HostConfig,
    around: Surroundings,
    machine: Machine,
    security: SecurityOptions,
) -> oci.Linux:
    devices = _devices(host, around)
    held = granted(host.cap_add, host.cap_drop, machine.capabilities, privileged=host.privileged)
    own_network = is_own(host.network_mode)
    settings = sysctls(
        {**(host.sysctls or {}), **around.kernel_settings},
        own_network=own_network,
        known=machine.sysctls,
        owners=around.owners,
    )
    if config.domainname and is_own(host.uts_mode) and around.owners is None:
        settings = {"kernel.domainname": config.domainname} | settings
    uids, gids = _id_mappings(around.owners)
    return oci.Linux(
        uid_mappings=uids,
        gid_mappings=gids,
        sysctl=settings,
        resources=limits.cgroup_resources(host, devices.rules, around.block_devices),
        cgroups_path=cgroups_path(host, around.id),
        namespaces=_namespaces(host, around, machine),
        devices=devices.nodes,
        seccomp=seccomp.seccomp(security.seccomp, held, machine, privileged=host.privileged),
        rootfs_propagation=root_propagation(around.mounts),
        masked_paths=host.masked_paths or (),
        readonly_paths=host.readonly_paths or (),
    )


def _id_mappings(
    owners: Owners | None,
) -> tuple[tuple[oci.IdMapping, ...], tuple[oci.IdMapping, ...]]:
    """For users and for groups; nothing where the numbers are the host's own."""
    if owners is None:
        return (), ()
    uids, gids = (
        tuple(
            oci.IdMapping(container_id=span.inside, host_id=span.outside, size=span.size)
            for span in spans
        )
        for spans in (owners.uids, owners.gids)
    )
    return uids, gids


def _devices(host: HostConfig, around: Surroundings) -> DevicePlan:
    if host.privileged:
        return privileged_device_plan(host.devices, around.found_devices, around.host_devices)
    return device_plan(host.devices, host.device_cgroup_rules, around.found_devices)


def cgroups_path(host: HostConfig, container_id: str) -> str:
    """Beneath the parent that was asked for, never outside the root of the hierarchy."""
    parent = posixpath.normpath("/" + (host.cgroup_parent or _CGROUP_PARENT))
    return posixpath.join("/", parent.lstrip("/"), container_id)


def _namespaces(
    host: HostConfig, around: Surroundings, machine: Machine
) -> tuple[oci.Namespace, ...]:
    """Those that are not the host's: new ones, and ones that exist already."""
    planned = [oci.Namespace(type="mount")]
    if around.owners is not None:
        planned.append(oci.Namespace(type="user", path=around.user_namespace))
    if host.network_mode != "host":
        planned.append(oci.Namespace(type="network", path=around.network_namespace))
    if host.uts_mode != "host":
        planned.append(oci.Namespace(type="uts"))
    if host.pid_mode != "host":
        planned.append(oci.Namespace(type="pid", path=_joined(host.pid_mode, around.joined_pid)))
    if host.ipc_mode != "host":
        planned.append(oci.Namespace(type="ipc", path=_joined(host.ipc_mode, around.joined_ipc)))
    if host.cgroupns_mode == "private" and machine.cgroup_namespaces:
        planned.append(oci.Namespace(type="cgroup"))
    return tuple(planned)


def _joined(mode: str, path: str) -> str:
    if (other := joined_container(mode)) is None:
        return ""
    if not path:
        raise InvalidArgument(f"cannot join the namespace of container {other}: it is not running")
    return path


def exec_process(
    wanted: ExecCreate,
    config: ContainerConfig,
    host: HostConfig,
    around: Surroundings,
    machine: Machine,
) -> oci.Process:
    """The process document of an exec: the container's own, but for what the exec says.

    around: of the running container, with passwd and group as they are in it now.
    Raises InvalidArgument without a command, or for a user that is not there.
    """
    if not wanted.cmd:
        raise InvalidArgument("No exec command specified")
    as_wanted = replace(
        config,
        user=wanted.user or config.user,
        tty=wanted.tty,
        env=overridden(config.env, wanted.env),
        working_dir=wanted.working_dir or config.working_dir,
        entrypoint=None,
        cmd=wanted.cmd,
    )
    process, _ = _process(
        as_wanted,
        replace(host, init=False, console_size=wanted.console_size),
        around,
        machine,
        security_options(host.security_opt),
    )
    if not wanted.privileged:
        return process
    everything = granted((), (), machine.capabilities, privileged=True)
    return replace(process, capabilities=_capabilities(everything))
