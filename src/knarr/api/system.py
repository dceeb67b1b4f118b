"""The engine about itself: ping, version, info, events."""

import os
import platform
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from knarr import __version__
from knarr.api import events
from knarr.api.distribution import registry_config
from knarr.api.router import Filters, route
from knarr.api.versions import ANNOUNCED, MINIMUM, ApiVersion, text
from knarr.container.logs.options import DRIVERS
from knarr.container.model import Status
from knarr.http.message import Request, Response
from knarr.services import Engine
from knarr.spec.docker.system import (
    Commit,
    Component,
    PluginsInfo,
    Runtime,
    SystemInfo,
    SystemVersion,
    VersionPlatform,
)

COMMON_HEADERS: Final = {
    "Api-Version": text(ANNOUNCED),
    "Docker-Experimental": "false",
    "Ostype": "linux",
    "Server": f"knarr/{__version__} (linux)",
}
_PING_HEADERS: Final = {
    "Builder-Version": "1",
    "Cache-Control": "no-cache, no-store, must-revalidate",
    "Pragma": "no-cache",
    "Swarm": "inactive",
    "Content-Type": "text/plain; charset=utf-8",
}
_ARCHITECTURES: Final = {"x86_64": "amd64", "aarch64": "arm64", "armv7l": "arm", "i686": "386"}


@route("GET", "/_ping")
async def ping(_engine: Engine) -> Response:
    """SystemPing: whether the engine lives, and what it speaks."""
    return Response(headers=_PING_HEADERS, body=b"OK")


@route("GET", "/version")
async def version(engine: Engine) -> SystemVersion:
    """SystemVersion."""
    kernel = platform.release()
    details = {
        "ApiVersion": text(ANNOUNCED),
        "Arch": architecture(),
        "Experimental": "false",
        "KernelVersion": kernel,
        "MinAPIVersion": text(MINIMUM),
        "Os": "linux",
        "PythonVersion": platform.python_version(),
    }
    runtime = engine.about.default_runtime
    return SystemVersion(
        platform=VersionPlatform(name="knarr"),
        components=(
            Component(name="Engine", version=__version__, details=details),
            Component(name="runtime", version=runtime, details={"Name": runtime}),
        ),
        version=__version__,
        api_version=text(ANNOUNCED),
        min_api_version=text(MINIMUM),
        os="linux",
        arch=architecture(),
        kernel_version=kernel,
    )


def architecture() -> str:
    """The machine's architecture by its name in image platforms."""
    return _ARCHITECTURES.get(platform.machine(), platform.machine())


@route("GET", "/info")
async def info(engine: Engine) -> SystemInfo:
    """SystemInfo."""
    about = engine.about
    states = [container.status for container in engine.views.all()]
    facts = engine.containers.machine
    version_2 = facts.cgroup_version == 2
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
        memory_limit=True,
        swap_limit=True,
        cpu_cfs_period=True,
        cpu_cfs_quota=True,
        cpu_shares=True,
        cpu_set=True,
        pids_limit=True,
        oom_kill_disable=not version_2,
        ipv4_forwarding=_is_on("/proc/sys/net/ipv4/ip_forward"),
        n_fd=len(os.listdir("/proc/self/fd")),
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
        registry_config=registry_config(engine.registries.table),
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
        warnings=about.warnings,
    )


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


@route("GET", "/events")
async def system_events(
    engine: Engine,
    request: Request,
    version: ApiVersion,
    *,
    since: str = "",
    until: str = "",
    filters: Filters = Filters({}),  # noqa: B008
) -> Response:
    """SystemEvents: recorded ones from ``since``, then live ones until ``until`` or for ever."""
    wanted = events.selection(filters)
    span = events.span_of(since, until, time.time_ns())
    form = events.form_of(request.headers.get("accept", ""), version)
    return Response(
        headers={"Content-Type": form},
        body=_event_lines(engine, wanted, span, version, form),
    )


async def _event_lines(
    engine: Engine, wanted: events.Selection, span: events.Span, version: ApiVersion, form: str
) -> AsyncIterator[bytes]:
    async for event in events.between(engine.db, engine.bus, span):
        if wanted(event):
            yield events.framed(events.line(event, version), form)
