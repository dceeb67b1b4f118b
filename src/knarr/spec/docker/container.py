"""Containers: what a client asks for, and what it is told.

Source: Engine API, ContainerCreate, ContainerInspect, ContainerList.
"""

from typing import Any

import msgspec

from knarr.spec.docker.health import Health, HealthConfig
from knarr.spec.docker.image import OCIDescriptor
from knarr.spec.docker.storage import DriverData, Storage
from knarr.spec.document import CamelDocument, Document


class ContainerConfig(Document):
    hostname: str = ""
    domainname: str = ""
    user: str = ""
    attach_stdin: bool = False
    attach_stdout: bool = False
    attach_stderr: bool = False
    exposed_ports: dict[str, dict[str, Any]] | None = None
    tty: bool = False
    open_stdin: bool = False
    stdin_once: bool = False
    env: tuple[str, ...] = ()
    cmd: tuple[str, ...] | None = None
    healthcheck: HealthConfig | None = None
    args_escaped: bool | None = None
    image: str = ""
    volumes: dict[str, dict[str, Any]] = msgspec.field(default_factory=dict)
    working_dir: str = ""
    entrypoint: tuple[str, ...] | None = None
    network_disabled: bool | None = None
    on_build: tuple[str, ...] | None = None
    labels: dict[str, str] = msgspec.field(default_factory=dict)
    stop_signal: str | None = None
    stop_timeout: int | None = None
    shell: tuple[str, ...] | None = None


class DeviceMapping(Document):
    path_on_host: str = ""
    path_in_container: str = ""
    cgroup_permissions: str = ""


class DeviceRequest(Document):
    driver: str = ""
    count: int = 0
    device_ids: tuple[str, ...] = msgspec.field(name="DeviceIDs", default=())
    capabilities: tuple[tuple[str, ...], ...] = ()
    options: dict[str, str] = msgspec.field(default_factory=dict)


class ThrottleDevice(Document):
    path: str = ""
    rate: int = 0


class DriverConfig(Document):
    name: str = ""
    options: dict[str, str] = msgspec.field(default_factory=dict)


class BindOptions(Document):
    """``id_map`` is knarr's own: owners exchanged between the host and the container's user."""

    propagation: str = ""
    non_recursive: bool = False
    create_mountpoint: bool = False
    read_only_non_recursive: bool = False
    read_only_force_recursive: bool = False
    id_map: bool = msgspec.field(name="IDMap", default=False)


class VolumeOptions(Document):
    """``id_map`` as in BindOptions."""

    no_copy: bool = False
    labels: dict[str, str] = msgspec.field(default_factory=dict)
    driver_config: DriverConfig | None = None
    subpath: str = ""
    id_map: bool = msgspec.field(name="IDMap", default=False)


class ImageOptions(Document):
    subpath: str = ""


class TmpfsOptions(Document):
    size_bytes: int = 0
    mode: int = 0
    options: tuple[tuple[str, ...], ...] = ()


class Mount(Document):
    target: str = ""
    source: str = ""
    type: str = ""
    read_only: bool = False
    consistency: str = ""
    bind_options: BindOptions | None = None
    volume_options: VolumeOptions | None = None
    image_options: ImageOptions | None = None
    tmpfs_options: TmpfsOptions | None = None


class RestartPolicy(Document):
    name: str = ""
    maximum_retry_count: int = 0


class WeightDevice(Document):
    path: str = ""
    weight: int = 0


class Ulimit(Document):
    name: str = ""
    soft: int = 0
    hard: int = 0


class Resources(Document):
    """What a container may use. ``kernel_memory`` is gone since 1.42: read, never written."""

    cpu_shares: int = 0
    memory: int = 0
    cgroup_parent: str = ""
    blkio_weight: int = 0
    blkio_weight_device: tuple[WeightDevice, ...] = ()
    blkio_device_read_bps: tuple[ThrottleDevice, ...] = ()
    blkio_device_write_bps: tuple[ThrottleDevice, ...] = ()
    blkio_device_read_iops: tuple[ThrottleDevice, ...] = msgspec.field(
        name="BlkioDeviceReadIOps", default=()
    )
    blkio_device_write_iops: tuple[ThrottleDevice, ...] = msgspec.field(
        name="BlkioDeviceWriteIOps", default=()
    )
    cpu_period: int = 0
    cpu_quota: int = 0
    cpu_realtime_period: int = 0
    cpu_realtime_runtime: int = 0
    cpuset_cpus: str = ""
    cpuset_mems: str = ""
    devices: tuple[DeviceMapping, ...] = ()
    device_cgroup_rules: tuple[str, ...] = ()
    device_requests: tuple[DeviceRequest, ...] = ()
    kernel_memory: int | msgspec.UnsetType = msgspec.UNSET
    memory_reservation: int = 0
    memory_swap: int = 0
    memory_swappiness: int | None = None
    nano_cpus: int = 0
    oom_kill_disable: bool | None = None
    init: bool | None = None
    pids_limit: int | None = None
    ulimits: tuple[Ulimit, ...] = ()
    cpu_count: int = 0
    cpu_percent: int = 0
    io_maximum_iops: int = msgspec.field(name="IOMaximumIOps", default=0)
    io_maximum_bandwidth: int = msgspec.field(name="IOMaximumBandwidth", default=0)


class PortBinding(Document):
    host_ip: str = ""
    host_port: str = ""


class LogConfig(Document):
    type: str = ""
    config: dict[str, str] = msgspec.field(default_factory=dict)


class HostConfig(Resources):
    binds: tuple[str, ...] = ()
    container_id_file: str = msgspec.field(name="ContainerIDFile", default="")
    log_config: LogConfig | None = None
    network_mode: str = ""
    port_bindings: dict[str, tuple[PortBinding, ...] | None] = msgspec.field(default_factory=dict)
    restart_policy: RestartPolicy | None = None
    auto_remove: bool = False
    volume_driver: str = ""
    volumes_from: tuple[str, ...] = ()
    mounts: tuple[Mount, ...] = ()
    console_size: tuple[int, ...] | None = None
    annotations: dict[str, str] = msgspec.field(default_factory=dict)
    cap_add: tuple[str, ...] = ()
    cap_drop: tuple[str, ...] = ()
    cgroupns_mode: str = ""
    dns: tuple[str, ...] = ()
    dns_options: tuple[str, ...] = ()
    dns_search: tuple[str, ...] = ()
    extra_hosts: tuple[str, ...] = ()
    group_add: tuple[str, ...] = ()
    ipc_mode: str = ""
    cgroup: str = ""
    links: tuple[str, ...] = ()
    oom_score_adj: int = 0
    pid_mode: str = ""
    privileged: bool = False
    publish_all_ports: bool = False
    readonly_rootfs: bool = False
    security_opt: tuple[str, ...] = ()
    storage_opt: dict[str, str] = msgspec.field(default_factory=dict)
    tmpfs: dict[str, str] = msgspec.field(default_factory=dict)
    uts_mode: str = msgspec.field(name="UTSMode", default="")
    userns_mode: str = ""
    shm_size: int = 0
    sysctls: dict[str, str] | None = None
    runtime: str | None = None
    isolation: str = ""
    masked_paths: tuple[str, ...] | None = None
    readonly_paths: tuple[str, ...] | None = None


class EndpointIPAMConfig(Document):
    ipv4_address: str = msgspec.field(name="IPv4Address", default="")
    ipv6_address: str = msgspec.field(name="IPv6Address", default="")
    link_local_ips: tuple[str, ...] = msgspec.field(name="LinkLocalIPs", default=())


class EndpointSettings(Document):
    ipam_config: EndpointIPAMConfig | None = msgspec.field(name="IPAMConfig", default=None)
    links: tuple[str, ...] = ()
    mac_address: str = ""
    aliases: tuple[str, ...] = ()
    driver_opts: dict[str, str] | None = None
    gw_priority: int = 0
    network_id: str = msgspec.field(name="NetworkID", default="")
    endpoint_id: str = msgspec.field(name="EndpointID", default="")
    gateway: str = ""
    ip_address: str = msgspec.field(name="IPAddress", default="")
    ip_prefix_len: int = msgspec.field(name="IPPrefixLen", default=0)
    ipv6_gateway: str = msgspec.field(name="IPv6Gateway", default="")
    global_ipv6_address: str = msgspec.field(name="GlobalIPv6Address", default="")
    global_ipv6_prefix_len: int = msgspec.field(name="GlobalIPv6PrefixLen", default=0)
    dns_names: tuple[str, ...] = msgspec.field(name="DNSNames", default=())


class NetworkingConfig(Document):
    endpoints_config: dict[str, EndpointSettings] = msgspec.field(default_factory=dict)


class ContainerCreate(ContainerConfig):
    """mac_address: of the first network, as clients below 1.44 say it.

    runtime: where docker-py says it; HostConfig's counts first.
    """

    mac_address: str = ""
    runtime: str = ""
    host_config: HostConfig | None = None
    networking_config: NetworkingConfig | None = None


class ContainerUpdate(Resources):
    restart_policy: RestartPolicy | None = None


class ContainerCreated(Document):
    id: str = ""
    warnings: tuple[str, ...] = ()


class ContainerUpdated(Document):
    warnings: tuple[str, ...] = ()


class ContainerState(Document):
    status: str = ""
    running: bool = False
    paused: bool = False
    restarting: bool = False
    oom_killed: bool = msgspec.field(name="OOMKilled", default=False)
    dead: bool = False
    pid: int = 0
    exit_code: int = 0
    error: str = ""
    started_at: str = ""
    finished_at: str = ""
    health: Health | None = None


class MountPoint(Document, omit_defaults=True):
    """A mount as inspect shows it; name and driver are a volume's alone, the rest always there."""

    source: str
    destination: str
    mode: str
    rw: bool = msgspec.field(name="RW")
    propagation: str
    type: str = ""
    name: str = ""
    driver: str = ""


class Address(Document):
    addr: str = ""
    prefix_len: int = 0


class NetworkSettings(Document):
    sandbox_id: str = msgspec.field(name="SandboxID", default="")
    sandbox_key: str = ""
    ports: dict[str, tuple[PortBinding, ...] | None] = msgspec.field(default_factory=dict)
    networks: dict[str, EndpointSettings] = msgspec.field(default_factory=dict)


class PortSummary(Document):
    ip: str = msgspec.field(name="IP", default="")
    private_port: int = 0
    public_port: int = 0
    type: str = ""


class SummaryHostConfig(Document):
    network_mode: str = ""
    annotations: dict[str, str] | None = None


class SummaryNetworkSettings(Document):
    networks: dict[str, EndpointSettings] = msgspec.field(default_factory=dict)


class HealthSummary(Document):
    status: str = ""
    failing_streak: int = 0


class ContainerSummary(Document):
    id: str = ""
    names: tuple[str, ...] = ()
    image: str = ""
    image_id: str = msgspec.field(name="ImageID", default="")
    image_manifest_descriptor: OCIDescriptor | None = None
    command: str = ""
    created: int = 0
    ports: tuple[PortSummary, ...] = ()
    size_rw: int | None = None
    size_rootfs: int | None = msgspec.field(name="SizeRootFs", default=None)
    labels: dict[str, str] = msgspec.field(default_factory=dict)
    state: str = ""
    status: str = ""
    host_config: SummaryHostConfig | None = None
    network_settings: SummaryNetworkSettings | None = None
    mounts: tuple[MountPoint, ...] = ()
    health: HealthSummary | None = None


class ContainerInspect(Document):
    id: str = ""
    created: str | None = None
    path: str = ""
    args: tuple[str, ...] = ()
    state: ContainerState | None = None
    image: str = ""
    resolv_conf_path: str = ""
    hostname_path: str = ""
    hosts_path: str = ""
    log_path: str | None = None
    name: str = ""
    restart_count: int = 0
    driver: str = ""
    platform: str = ""
    image_manifest_descriptor: OCIDescriptor | None = None
    mount_label: str = ""
    process_label: str = ""
    app_armor_profile: str = ""
    exec_ids: tuple[str, ...] | None = msgspec.field(name="ExecIDs", default=None)
    host_config: HostConfig | None = None
    graph_driver: DriverData | None = None
    storage: Storage | None = None
    size_rw: int | None = None
    size_rootfs: int | None = msgspec.field(name="SizeRootFs", default=None)
    mounts: tuple[MountPoint, ...] = ()
    config: ContainerConfig | None = None
    network_settings: NetworkSettings | None = None


class ContainerTop(Document):
    titles: tuple[str, ...] = ()
    processes: tuple[tuple[str, ...], ...] = ()


class PathStat(CamelDocument, omit_defaults=False):
    """A file in a container, in the header X-Docker-Container-Path-Stat.

    mode: as Go numbers file modes. link_target: of a symbolic link, resolved inside the container.
    """

    name: str = ""
    size: int = 0
    mode: int = 0
    mtime: str = ""
    link_target: str = ""


class WaitExitError(Document):
    message: str = ""


class ContainerWait(Document):
    status_code: int = 0
    error: WaitExitError | None = None


class FilesystemChange(Document):
    path: str = ""
    kind: int = 0


class ContainersPruned(Document):
    containers_deleted: tuple[str, ...] = ()
    space_reclaimed: int = 0
