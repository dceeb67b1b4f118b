"""The engine about itself.

Source: Engine API, SystemVersion, SystemInfo, SystemEvents, SystemDataUsage, SystemAuth.
"""

from typing import Any

import msgspec

from knarr.spec.docker.build import BuildCache
from knarr.spec.docker.container import ContainerSummary
from knarr.spec.docker.image import ImageSummary
from knarr.spec.docker.volume import Volume
from knarr.spec.document import Document


class VersionPlatform(Document):
    name: str = ""


class Component(Document):
    name: str = ""
    version: str = ""
    details: dict[str, Any] | None = None


class SystemVersion(Document):
    platform: VersionPlatform | None = None
    components: tuple[Component, ...] = ()
    version: str = ""
    api_version: str = ""
    min_api_version: str = msgspec.field(name="MinAPIVersion", default="")
    git_commit: str = ""
    go_version: str = ""
    os: str = ""
    arch: str = ""
    kernel_version: str = ""
    experimental: bool = False
    build_time: str = ""


class Commit(Document):
    id: str = msgspec.field(name="ID", default="")


class Runtime(Document):
    path: str = msgspec.field(name="path", default="")
    runtime_args: tuple[str, ...] | None = msgspec.field(name="runtimeArgs", default=None)
    status: dict[str, str] | None = msgspec.field(name="status", default=None)


class PluginsInfo(Document):
    volume: tuple[str, ...] = ()
    network: tuple[str, ...] = ()
    authorization: tuple[str, ...] = ()
    log: tuple[str, ...] = ()


class IndexInfo(Document):
    name: str = ""
    mirrors: tuple[str, ...] = ()
    secure: bool = False
    official: bool = False


class RegistryServiceConfig(Document):
    insecure_registry_cidrs: tuple[str, ...] = msgspec.field(
        name="InsecureRegistryCIDRs", default=()
    )
    index_configs: dict[str, IndexInfo] = msgspec.field(default_factory=dict)
    mirrors: tuple[str, ...] = ()


class FirewallInfo(Document):
    driver: str = ""
    info: tuple[tuple[str, ...], ...] = ()


class ContainerdInfo(Document):
    address: str = ""
    namespaces: dict[str, Any] = msgspec.field(default_factory=dict)


class AddressPool(Document):
    base: str = ""
    size: int = 0


class SwarmInfo(Document):
    """That of an engine which is in no swarm, unless it says so."""

    node_id: str = msgspec.field(name="NodeID", default="")
    node_addr: str = ""
    local_node_state: str = "inactive"
    control_available: bool = False
    error: str = ""
    remote_managers: tuple[Any, ...] | None = None


class SystemInfo(Document):
    id: str = msgspec.field(name="ID", default="")
    containers: int = 0
    containers_running: int = 0
    containers_paused: int = 0
    containers_stopped: int = 0
    images: int = 0
    driver: str = ""
    driver_status: tuple[tuple[str, ...], ...] = ()
    docker_root_dir: str = ""
    plugins: PluginsInfo | None = None
    memory_limit: bool = False
    swap_limit: bool = False
    cpu_cfs_period: bool = False
    cpu_cfs_quota: bool = False
    cpu_shares: bool = msgspec.field(name="CPUShares", default=False)
    cpu_set: bool = msgspec.field(name="CPUSet", default=False)
    pids_limit: bool = False
    oom_kill_disable: bool = False
    ipv4_forwarding: bool = msgspec.field(name="IPv4Forwarding", default=False)
    debug: bool = False
    n_fd: int = 0
    n_goroutines: int = 0
    system_time: str = ""
    logging_driver: str = ""
    cgroup_driver: str = ""
    cgroup_version: str = ""
    n_events_listener: int = 0
    kernel_version: str = ""
    operating_system: str = ""
    os_version: str = msgspec.field(name="OSVersion", default="")
    os_type: str = msgspec.field(name="OSType", default="")
    architecture: str = ""
    ncpu: int = msgspec.field(name="NCPU", default=0)
    mem_total: int = 0
    index_server_address: str = ""
    registry_config: RegistryServiceConfig | None = None
    http_proxy: str = ""
    https_proxy: str = ""
    no_proxy: str = ""
    name: str = ""
    labels: tuple[str, ...] = ()
    experimental_build: bool = False
    server_version: str = ""
    runtimes: dict[str, Runtime] = msgspec.field(default_factory=dict)
    default_runtime: str = ""
    live_restore_enabled: bool = False
    isolation: str = ""
    init_binary: str = ""
    containerd_commit: Commit | None = None
    runc_commit: Commit | None = None
    init_commit: Commit | None = None
    security_options: tuple[str, ...] = ()
    product_license: str = ""
    default_address_pools: tuple[AddressPool, ...] = ()
    firewall_backend: FirewallInfo | None = None
    swarm: SwarmInfo = SwarmInfo()
    warnings: tuple[str, ...] = ()
    cdi_spec_dirs: tuple[str, ...] = msgspec.field(name="CDISpecDirs", default=())
    containerd: ContainerdInfo | None = None


class EventActor(Document):
    id: str = msgspec.field(name="ID", default="")
    attributes: dict[str, str] = msgspec.field(default_factory=dict)


class EventMessage(Document):
    type: str = ""
    action: str = ""
    actor: EventActor | None = None
    scope: str = msgspec.field(name="scope", default="")
    time: int = msgspec.field(name="time", default=0)
    time_nano: int = msgspec.field(name="timeNano", default=0)


class AuthResponse(Document):
    status: str = ""
    identity_token: str = ""


class ErrorResponse(Document):
    message: str = msgspec.field(name="message", default="")


class IdResponse(Document):
    id: str = ""


class ImagesDiskUsage(Document):
    active_count: int = 0
    total_count: int = 0
    reclaimable: int = 0
    total_size: int = 0
    items: tuple[Any, ...] = ()


class ContainersDiskUsage(Document):
    active_count: int = 0
    total_count: int = 0
    reclaimable: int = 0
    total_size: int = 0
    items: tuple[Any, ...] = ()


class VolumesDiskUsage(Document):
    active_count: int = 0
    total_count: int = 0
    reclaimable: int = 0
    total_size: int = 0
    items: tuple[Any, ...] = ()


class BuildCacheDiskUsage(Document):
    active_count: int = 0
    total_count: int = 0
    reclaimable: int = 0
    total_size: int = 0
    items: tuple[Any, ...] = ()


class DataUsage(Document):
    """Up to API 1.51 lists of everything; from 1.52 the four ``*_usage`` sums."""

    layers_size: int = 0
    images: tuple[ImageSummary, ...] = ()
    containers: tuple[ContainerSummary, ...] = ()
    volumes: tuple[Volume, ...] = ()
    build_cache: tuple[BuildCache, ...] = ()
    image_usage: ImagesDiskUsage | None = None
    container_usage: ContainersDiskUsage | None = None
    volume_usage: VolumesDiskUsage | None = None
    build_cache_usage: BuildCacheDiskUsage | None = None
