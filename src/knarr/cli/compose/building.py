"""Images of a project: built through the engine, their steps among its progress."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from knarr.client.calls import build as calls
from knarr.compose import labels
from knarr.compose.actions import BuildImage
from knarr.compose.attributes.extra_hosts import entries
from knarr.compose.project import Project, Service
from knarr.errors import InvalidArgument, KnarrError, Unsupported

if TYPE_CHECKING:
    from knarr.cli.compose.call import Call
    from knarr.cli.compose.logs import LogPrinter
    from knarr.client.call import Lines

_REMOTE: Final = ("http://", "https://", "git://", "git@", "ssh://", "github.com/")
# What POST /build has no word for: needed for the image to be what the file says.
_NEEDS_MORE: Final = ("secrets", "ssh", "additional_contexts", "privileged", "entitlements")
# What may be left out: the image is the same.
_WITHOUT_EFFECT: Final = ("cache_to", "provenance", "sbom", "no_cache_filter")


class BuildOptions:
    """What the flags of ``build`` say over the file."""

    __slots__ = ("args", "memory", "no_cache", "pull", "quiet")

    def __init__(
        self,
        *,
        args: Mapping[str, str | None] | None = None,
        no_cache: bool = False,
        pull: bool = False,
        quiet: bool = False,
        memory: int = 0,
    ) -> None:
        self.args = dict(args or {})
        self.no_cache = no_cache
        self.pull = pull
        self.quiet = quiet
        self.memory = memory


def build(
    call: Call,
    project: Project,
    action: BuildImage,
    printer: LogPrinter,
    options: BuildOptions | None = None,
) -> None:
    """Build one service's image. Raises KnarrError with what the engine says of a failing step."""
    service = project.all_services[action.service]
    chosen = options or BuildOptions()
    for name in _WITHOUT_EFFECT:
        if service.get("build", {}).get(name):
            call.warn(f"services.{service.name}.build.{name} has no effect with this builder")
    request = _request(call, project, service, action.image, chosen)
    try:
        for message in call.engines.lines(request):
            if (error := message.get("errorDetail") or message.get("error")) is not None:
                text = error.get("message") if isinstance(error, dict) else error
                raise KnarrError(f"failed to build {service.name}: {text}")
            if not chosen.quiet and message.get("stream"):
                printer.feed(service.name, str(message["stream"]).encode())
    finally:
        printer.end(service.name)


def _request(
    call: Call, project: Project, service: Service, image: str, options: BuildOptions
) -> Lines[Any]:
    declared = service.get("build", {})
    for name in _NEEDS_MORE:
        if declared.get(name):
            raise Unsupported(
                f"services.{service.name}.build.{name}: the engine's build endpoint has no "
                "word for this"
            )
    context: str = declared.get("context", ".")
    remote = context if context.startswith(_REMOTE) else None
    sent, dockerfile = None, declared.get("dockerfile", "")
    if remote is None:
        from knarr.client.context import build_context

        found = build_context(context, dockerfile, inline=declared.get("dockerfile_inline"))
        sent, dockerfile = found.pieces(), found.dockerfile
    elif declared.get("dockerfile_inline"):
        raise InvalidArgument("dockerfile_inline needs a context that is a folder")
    return calls.build(
        sent,
        dockerfile=dockerfile,
        remote=remote,
        tags=(*declared.get("tags", ()), image),
        args={**_proxies(call), **declared.get("args", {}), **_resolved(options.args, project)},
        labels=_labels(project, service, declared),
        cache_from=declared.get("cache_from", ()),
        target=declared.get("target"),
        network=declared.get("network"),
        extra_hosts=entries(declared.get("extra_hosts", {})),
        platform=_platform(project, service, declared),
        no_cache=options.no_cache or declared.get("no_cache", False),
        pull=options.pull or declared.get("pull", False),
        shm_size=int(declared.get("shm_size", 0)),
        memory=options.memory,
        isolation=declared.get("isolation"),
        ulimits=_ulimits(declared),
        registries=_registries(call),
    )


def _labels(project: Project, service: Service, declared: Mapping[str, Any]) -> dict[str, str]:
    """What the file says, and what tells later whose image it is."""
    return {
        **declared.get("labels", {}),
        labels.PROJECT: project.name,
        labels.SERVICE: service.name,
        labels.VERSION: labels.COMPOSE_VERSION,
        labels.IMAGE_BUILDER: "classic",
    }


def _platform(project: Project, service: Service, declared: Mapping[str, Any]) -> str | None:
    own = service.get("platform") or project.environment.get("DOCKER_DEFAULT_PLATFORM")
    platforms = declared.get("platforms", [])
    return own or (platforms[0] if len(platforms) == 1 else None)


def _resolved(args: Mapping[str, str | None], project: Project) -> dict[str, str | None]:
    """Bare names of ``--build-arg`` take their value from the environment."""
    return {
        name: project.environment.get(name) if value is None else value
        for name, value in args.items()
    }


def _proxies(call: Call) -> dict[str, str]:
    """The proxies that the client's configuration has for builds."""
    proxies = call.cli.config.values.get("proxies") or {}
    chosen = proxies.get(call.cli.engine.endpoint.text) or proxies.get("default") or {}
    names = {
        "httpProxy": "HTTP_PROXY",
        "httpsProxy": "HTTPS_PROXY",
        "noProxy": "NO_PROXY",
        "ftpProxy": "FTP_PROXY",
        "allProxy": "ALL_PROXY",
    }
    found = {names[key]: str(value) for key, value in chosen.items() if key in names}
    return {**found, **{name.lower(): value for name, value in found.items()}}


def _ulimits(declared: Mapping[str, Any]) -> list[dict[str, str | int]]:
    return [
        {"Name": name, "Soft": limit["soft"], "Hard": limit["hard"]}
        if isinstance(limit, dict)
        else {"Name": name, "Soft": limit, "Hard": limit}
        for name, limit in sorted(declared.get("ulimits", {}).items())
    ]


def _registries(call: Call) -> str:
    from knarr.cli.credentials import known

    documents = {each.server: each.document() for each in known(call.cli)}
    return base64.urlsafe_b64encode(json.dumps(documents).encode()).decode()
