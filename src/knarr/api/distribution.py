"""Endpoints about registries: what a name stands for there, and logins.

Source: Engine API, tag Distribution; SystemAuth.
"""

from collections.abc import AsyncIterator

from knarr.api.logins import logins_of
from knarr.api.router import route
from knarr.errors import KnarrError, Unavailable
from knarr.http.message import Request
from knarr.image.platforms import platform_document
from knarr.reference import Reference
from knarr.registry import RegistryTable
from knarr.services import Engine
from knarr.spec.docker.auth import AuthConfig
from knarr.spec.docker.image import DistributionInspect, OCIDescriptor
from knarr.spec.docker.progress import Progress
from knarr.spec.docker.system import AuthResponse, IndexInfo, RegistryServiceConfig
from knarr.spec.knarr.registry import IndexPush, RegistryManifest

_LOOPBACK = ("127.0.0.0/8", "::1/128")


@route("GET", "/distribution/{name:path}/json")
async def inspect(engine: Engine, request: Request, name: str) -> DistributionInspect:
    """DistributionInspect: without pulling anything."""
    reference = Reference.parse(name).tagged()
    from knarr.registry import distribution

    found = await distribution(engine.registries, reference, logins_of(request, reference))
    root = found.root
    return DistributionInspect(
        descriptor=OCIDescriptor(
            media_type=root.media_type, digest=root.digest, size=len(root.raw)
        ),
        platforms=tuple(platform_document(each) for each in found.platforms),
    )


@route("GET", "/knarr/distribution/{name:path}/manifest")
async def manifest(
    engine: Engine, request: Request, name: str, *, children: bool = False, insecure: bool = False
) -> RegistryManifest:
    """knarr's own: a manifest or an index as it is in its registry."""
    reference = Reference.parse(name).tagged()
    logins = logins_of(request, reference)
    return await engine.remotes.manifest(reference, logins, children=children, insecure=insecure)


@route("POST", "/knarr/distribution/{name:path}/index")
async def push_index(
    engine: Engine, request: Request, name: str, body: IndexPush, *, insecure: bool = False
) -> AsyncIterator[Progress]:
    """knarr's own: an index of manifests that are in repositories of the same registry."""
    reference = Reference.parse(name).tagged()
    logins = logins_of(request, reference)
    return engine.remotes.push_index(reference, body, logins, insecure=insecure)


@route("POST", "/auth")
async def auth(engine: Engine, body: AuthConfig) -> AuthResponse:
    """SystemAuth: whether a registry takes this login; 500, as in Docker, where none answers."""
    from knarr.registry.login import login

    try:
        return await login(engine.registries, body.unpacked())
    except Unavailable as error:
        raise KnarrError(str(error)) from error


def registry_config(table: RegistryTable) -> RegistryServiceConfig:
    """What ``info`` shows of how registries are reached."""
    hub = tuple(
        mirror.location
        for rule in table.rules
        if rule.prefix == "docker.io"
        for mirror in rule.mirrors
    )
    urls = tuple(f"https://{location}/" for location in hub)
    indexes = {"docker.io": IndexInfo(name="docker.io", mirrors=urls, secure=True, official=True)}
    for host in sorted(table.insecure_hosts):
        indexes[host] = IndexInfo(name=host, secure=False)
    networks = (str(each) for each in table.insecure_networks)
    return RegistryServiceConfig(
        insecure_registry_cidrs=tuple(dict.fromkeys((*_LOOPBACK, *networks))),
        index_configs=indexes,
        mirrors=urls,
    )
