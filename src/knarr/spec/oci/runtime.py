"""The runtime spec: one container's ``config.json``, and the process document of an exec.

A field without a default is always written; one at its default is left out, as the runtimes expect.
Source: OCI runtime-spec 1.2, config.md and config-linux.md.
"""

from typing import Final, Literal

import msgspec

from knarr.spec.document import CamelDocument

OCI_VERSION: Final = "1.0.2"  # the newest that every runtime in use accepts; 1.2's fields are extra

NamespaceType = Literal["pid", "network", "mount", "ipc", "uts", "user", "cgroup", "time"]
SeccompAction = Literal[
    "SCMP_ACT_KILL", "SCMP_ACT_KILL_PROCESS", "SCMP_ACT_KILL_THREAD", "SCMP_ACT_TRAP",
    "SCMP_ACT_ERRNO", "SCMP_ACT_TRACE", "SCMP_ACT_ALLOW", "SCMP_ACT_LOG", "SCMP_ACT_NOTIFY",
]  # fmt: skip
SeccompOperator = Literal[
    "SCMP_CMP_NE", "SCMP_CMP_LT", "SCMP_CMP_LE", "SCMP_CMP_EQ", "SCMP_CMP_GE", "SCMP_CMP_GT",
    "SCMP_CMP_MASKED_EQ",
]  # fmt: skip


class Box(CamelDocument):
    """A terminal's size in characters."""

    height: int
    width: int


class User(CamelDocument):
    """Who the process is, by number inside the container; ``umask`` None leaves 0022."""

    uid: int
    gid: int
    umask: int | None = None
    additional_gids: tuple[int, ...] = ()


class Capabilities(CamelDocument):
    """Five sets of names such as ``CAP_CHOWN``."""

    bounding: tuple[str, ...] = ()
    effective: tuple[str, ...] = ()
    inheritable: tuple[str, ...] = ()
    permitted: tuple[str, ...] = ()
    ambient: tuple[str, ...] = ()


class Rlimit(CamelDocument):
    """``type`` such as ``RLIMIT_NOFILE``; the units are each limit's own."""

    type: str
    hard: int
    soft: int


class Process(CamelDocument):
    """What runs; an exec's whole document. An absent ``oom_score_adj`` inherits the parent's."""

    args: tuple[str, ...]
    cwd: str
    user: User
    terminal: bool = False
    console_size: Box | None = None
    env: tuple[str, ...] = ()
    capabilities: Capabilities | None = None
    rlimits: tuple[Rlimit, ...] = ()
    no_new_privileges: bool = False
    apparmor_profile: str = ""
    oom_score_adj: int | None = None
    selinux_label: str = ""


class Root(CamelDocument):
    """The root filesystem: absolute, or relative to the bundle."""

    path: str
    readonly: bool = False


class IdMapping(CamelDocument):
    """``size`` numbers from ``container_id`` inside are those from ``host_id`` outside."""

    container_id: int = msgspec.field(name="containerID")
    host_id: int = msgspec.field(name="hostID")
    size: int


class Mount(CamelDocument):
    """``options`` are those of mount(8): ``rbind``, ``ro``, ``rprivate``, ``size=64m``."""

    destination: str
    type: str = ""
    source: str = ""
    options: tuple[str, ...] = ()
    uid_mappings: tuple[IdMapping, ...] = ()
    gid_mappings: tuple[IdMapping, ...] = ()


class Hook(CamelDocument):
    """A program of the host, ``args`` with argument zero; ``timeout`` in seconds, 0 for none."""

    path: str
    args: tuple[str, ...] = ()
    env: tuple[str, ...] = ()
    timeout: int = 0


class Hooks(CamelDocument):
    create_runtime: tuple[Hook, ...] = ()
    create_container: tuple[Hook, ...] = ()
    start_container: tuple[Hook, ...] = ()
    poststart: tuple[Hook, ...] = ()
    poststop: tuple[Hook, ...] = ()


class Namespace(CamelDocument):
    """A new namespace, or the one that ``path`` names."""

    type: NamespaceType
    path: str = ""


class Device(CamelDocument):
    """A node made in the container; ``type`` is one of c, b, u, p, ``file_mode`` the 12 bits."""

    type: str
    path: str
    major: int = 0
    minor: int = 0
    file_mode: int | None = None
    uid: int | None = None
    gid: int | None = None


class DeviceRule(CamelDocument):
    """Who may do what: ``type`` a, b, c; ``access`` of r, w, m; a missing number means any."""

    allow: bool
    type: str = ""
    major: int | None = None
    minor: int | None = None
    access: str = ""


class Memory(CamelDocument):
    """Bytes; ``swap`` counts memory and swap together, -1 is no limit. Absent leaves it alone."""

    limit: int | None = None
    reservation: int | None = None
    swap: int | None = None
    kernel: int | None = None
    kernel_tcp: int | None = msgspec.field(name="kernelTCP", default=None)
    swappiness: int | None = None
    disable_oom_killer: bool | None = msgspec.field(name="disableOOMKiller", default=None)
    use_hierarchy: bool | None = None
    check_before_update: bool | None = None


class Cpu(CamelDocument):
    """``quota`` and periods and ``burst`` in microseconds; ``cpus`` and ``mems`` as ``0-3,7``."""

    shares: int | None = None
    quota: int | None = None
    burst: int | None = None
    period: int | None = None
    realtime_runtime: int | None = None
    realtime_period: int | None = None
    cpus: str = ""
    mems: str = ""
    idle: int | None = None


class Pids(CamelDocument):
    """``limit`` of tasks; 0 or less is no limit."""

    limit: int


class WeightDevice(CamelDocument):
    major: int
    minor: int
    weight: int | None = None
    leaf_weight: int | None = None


class ThrottleDevice(CamelDocument):
    """``rate`` in bytes or operations a second."""

    major: int
    minor: int
    rate: int


class BlockIo(CamelDocument):
    """Weights are 10 to 1000."""

    weight: int | None = None
    leaf_weight: int | None = None
    weight_device: tuple[WeightDevice, ...] = ()
    throttle_read_bps_device: tuple[ThrottleDevice, ...] = ()
    throttle_write_bps_device: tuple[ThrottleDevice, ...] = ()
    throttle_read_iops_device: tuple[ThrottleDevice, ...] = msgspec.field(
        name="throttleReadIOPSDevice", default=()
    )
    throttle_write_iops_device: tuple[ThrottleDevice, ...] = msgspec.field(
        name="throttleWriteIOPSDevice", default=()
    )


class HugepageLimit(CamelDocument):
    """``page_size`` as ``2MB``, ``limit`` in bytes."""

    page_size: str
    limit: int


class InterfacePriority(CamelDocument):
    name: str
    priority: int


class NetworkClass(CamelDocument):
    class_id: int | None = msgspec.field(name="classID", default=None)
    priorities: tuple[InterfacePriority, ...] = ()


class RdmaLimit(CamelDocument):
    hca_handles: int | None = None
    hca_objects: int | None = None


class Resources(CamelDocument):
    """The limits of the container's cgroup; ``unified`` holds v2 files by name."""

    devices: tuple[DeviceRule, ...] = ()
    memory: Memory | None = None
    cpu: Cpu | None = None
    pids: Pids | None = None
    block_io: BlockIo | None = msgspec.field(name="blockIO", default=None)
    hugepage_limits: tuple[HugepageLimit, ...] = ()
    network: NetworkClass | None = None
    rdma: dict[str, RdmaLimit] = msgspec.field(default_factory=dict)
    unified: dict[str, str] = msgspec.field(default_factory=dict)


class SeccompArgument(CamelDocument):
    """One argument of a system call, by its place, compared with ``value``."""

    index: int
    value: int
    op: SeccompOperator
    value_two: int = 0


class SeccompRule(CamelDocument):
    """The system calls of ``names`` whose arguments match all of ``args`` get ``action``."""

    names: tuple[str, ...]
    action: SeccompAction
    errno_ret: int | None = None
    args: tuple[SeccompArgument, ...] = ()


class Seccomp(CamelDocument):
    """A filter of system calls; ``flags`` such as ``SECCOMP_FILTER_FLAG_LOG``."""

    default_action: SeccompAction
    default_errno_ret: int | None = None
    architectures: tuple[str, ...] = ()
    flags: tuple[str, ...] = ()
    listener_path: str = ""
    listener_metadata: str = ""
    syscalls: tuple[SeccompRule, ...] = ()


class TimeOffset(CamelDocument):
    secs: int = 0
    nanosecs: int = 0


class Personality(CamelDocument):
    domain: str
    flags: tuple[str, ...] = ()


class Linux(CamelDocument):
    uid_mappings: tuple[IdMapping, ...] = ()
    gid_mappings: tuple[IdMapping, ...] = ()
    sysctl: dict[str, str] = msgspec.field(default_factory=dict)
    resources: Resources | None = None
    cgroups_path: str = ""
    namespaces: tuple[Namespace, ...] = ()
    devices: tuple[Device, ...] = ()
    seccomp: Seccomp | None = None
    rootfs_propagation: str = ""
    masked_paths: tuple[str, ...] = ()
    readonly_paths: tuple[str, ...] = ()
    mount_label: str = ""
    personality: Personality | None = None
    time_offsets: dict[str, TimeOffset] = msgspec.field(default_factory=dict)


class Spec(CamelDocument):
    """The whole bundle's ``config.json``."""

    oci_version: str = msgspec.field(name="ociVersion")
    process: Process
    root: Root
    hostname: str = ""
    domainname: str = ""
    mounts: tuple[Mount, ...] = ()
    hooks: Hooks | None = None
    annotations: dict[str, str] = msgspec.field(default_factory=dict)
    linux: Linux = Linux()
