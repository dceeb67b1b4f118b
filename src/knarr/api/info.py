"""What the engine has, and what this machine can do for containers: ``docker info``.

Source: Engine API, SystemInfo; the warnings are in Docker's words.
"""

import asyncio
import os
import platform
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from knarr import __version__
from knarr.api.debug import is_debugging
from knarr.api.distribution import registry_config
from knarr.api.router import route
from knarr.container.logs.options import DRIVERS
from knarr.container.machine import Controllers
from knarr.container.model import Status
from knarr.services import Engine
from knarr.spec.docker.system import Commit, FirewallInfo, PluginsInfo, Runtime, SystemInfo


@route("GET", "/info")
async def info(engine: Engine) -> SystemInfo:
    """SystemInfo."""
    about = engine.about
    states = [container.status for container in engine.views.all()]
    facts = engine.containers.machine
    can, version_2 = facts.controllers, facts.cgroup_version == 2
    forwards = _is_on("/proc/sys/net/ipv4/ip_forward")
    return SystemInfo(
        id=about.id,
        containers=len(states),
        containers_running=states.count(Status.RUNNING),
        containers_paused=states.count(Status.PAUSED),
        containers_stopped=len(states) - states.count(Status.RUNNING) - states.count(Status.PAUSED),
        images=len(engine.images.list({}, everything=True)),
        driver=about.driver,
        driver_status=(
            ("Backing Filesystem", _file_system(about.data_root)),
            ("Snapshotter", about.snapshotter),
        ),
        docker_root_dir=str(about.data_root),
        plugins=PluginsInfo(
            volume=("local",),
            network=("bridge", "host", "ipvlan", "macvlan", "null"),
            log=DRIVERS,
        ),
        memory_limit=can.memory,
        swap_limit=can.swap,
        cpu_cfs_period=can.cpu_quota,
        cpu_cfs_quota=can.cpu_quota,
        cpu_shares=can.cpu_shares,
        cpu_set=can.cpuset,
        pids_limit=can.pids,
        oom_kill_disable=can.oom_kill_disable,
        ipv4_forwarding=forwards,
        debug=is_debugging(),
        n_fd=len(os.listdir("/proc/self/fd")),
        n_goroutines=len(asyncio.all_tasks()),
        system_time=datetime.now(UTC).isoformat().replace("+00:00", "Z"),
        logging_driver=about.log_driver,
        cgroup_driver="cgroupfs",
        cgroup_version="2" if version_2 else "1",
        n_events_listener=engine.bus.listener_count,
        kernel_version=platform.release(),
        operating_system=_os_release().get("PRETTY_NAME", "Linux"),
        os_version=_os_release().get("VERSION_ID", ""),
        os_type="linux",
        architecture=platform.machine(),
        ncpu=os.cpu_count() or 1,
        mem_total=os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        index_server_address="https://index.docker.io/v1/",
        registry_config=registry_config(engine.about.registry_table),
        http_proxy=without_password(_proxy("http_proxy")),
        https_proxy=without_password(_proxy("https_proxy")),
        no_proxy=_proxy("no_proxy"),
        name=platform.node(),
        server_version=__version__,
        runtimes={name: Runtime(path=path) for name, path in about.runtimes.items()},
        default_runtime=about.default_runtime,
        live_restore_enabled=True,
        init_binary="docker-init",
        containerd_commit=Commit(),
        runc_commit=Commit(),
        init_commit=Commit(),
        security_options=about.security_options,
        firewall_backend=FirewallInfo(driver="nftables"),
        warnings=(*about.warnings, *lacks(can, version_2=version_2, forwards=forwards)),
    )


def lacks(can: Controllers, *, version_2: bool, forwards: bool) -> Iterator[str]:
    """A sentence for each thing that this machine's kernel does not do for containers."""
    for present, what in (
        (can.memory, "memory limit"),
        (can.swap, "swap limit"),
        (can.oom_kill_disable or version_2, "oom kill disable"),
        (can.cpu_quota, "cpu cfs quota"),
        (can.cpu_quota, "cpu cfs period"),
        (can.cpu_shares, "cpu shares"),
        (can.cpuset, "cpuset"),
        (can.pids, "pids limit"),
        (can.block_weight or not version_2, "io.weight"),
        (can.block_throttle or not version_2, "io.max"),
    ):
        if not present:
            yield f"WARNING: No {what} support"
    if not forwards:
        yield "WARNING: IPv4 forwarding is disabled"


def without_password(url: str) -> str:
    """A proxy as everybody may see it."""
    return re.sub(r"//[^/@]*@", "//xxxxx:xxxxx@", url)


def _proxy(name: str) -> str:
    return os.environ.get(name.upper()) or os.environ.get(name) or ""


def _file_system(folder: Path) -> str:
    """The type of the file system that holds a folder, by the longest mount point above it."""
    best, kind = "", "unknown"
    for line in Path("/proc/self/mounts").read_text().splitlines():
        _, point, found, *_ = line.split(" ")
        above = f"{folder}/".startswith(point.rstrip("/") + "/")
        if above and len(point) > len(best):
            best, kind = point, found
    return kind


def _is_on(path: str) -> bool:
    return Path(path).read_text().strip() == "1"


def _os_release() -> dict[str, str]:
    pairs = (line.partition("=") for line in Path("/etc/os-release").read_text().splitlines())
    return {key: value.strip('"') for key, _, value in pairs}
