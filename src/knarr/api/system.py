"""The engine about itself: ping, version, events. What it has and can is in info.py."""

import platform
import time
from collections.abc import AsyncIterator
from typing import Final

from knarr import __version__
from knarr.api import events
from knarr.api.router import Filters, route
from knarr.api.versions import ANNOUNCED, MINIMUM, ApiVersion, text
from knarr.http.message import Request, Response
from knarr.services import Engine
from knarr.spec.docker.system import (
    Component,
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
