"""Endpoints of images on this machine. Source: Engine API, tag Image."""

from collections.abc import AsyncIterator, Sequence

from knarr.api.logins import logins_for_search, logins_of, named
from knarr.api.router import Filters, only_known, route
from knarr.api.shapes import Json, image_shape
from knarr.api.versions import ApiVersion
from knarr.errors import InvalidArgument
from knarr.http.message import Request, Response
from knarr.image import new_name
from knarr.services import Engine
from knarr.spec.docker.image import (
    ImageDeleted,
    ImageHistoryItem,
    ImageSearchResult,
    ImagesPruned,
    ImageSummary,
)
from knarr.spec.docker.progress import Progress
from knarr.spec.document import decode
from knarr.spec.oci.image import Platform
from knarr.spec.oci.platform import normalized, parse_platform

_NO_FILTERS = Filters({})
_LAST_WITH_FILTER: ApiVersion = (1, 40)
_TAR = {"Content-Type": "application/x-tar"}


@route("GET", "/images/json")
async def images(
    engine: Engine,
    version: ApiVersion,
    *,
    all: bool = False,  # noqa: A002
    filter: str = "",  # noqa: A002
    filters: Filters = _NO_FILTERS,
    shared_size: bool = False,
    manifests: bool = False,
) -> Sequence[ImageSummary]:
    """ImageList. ``filter`` is how a reference was asked for up to 1.40."""
    if filter and version <= _LAST_WITH_FILTER:
        filters = Filters({**filters, "reference": (*filters.get("reference", ()), filter)})
    only_known(filters, "before", "dangling", "label", "label!", "reference", "since", "until")
    return engine.images.list(filters, everything=all, shared_size=shared_size, manifests=manifests)


@route("GET", "/images/get")
async def save_several(
    engine: Engine,
    *,
    names: tuple[str, ...] = (),
    platform: tuple[str, ...] = (),
) -> Response:
    """ImageGetAll."""
    if not names:
        raise InvalidArgument("no image was named: give names=IMAGE")
    return Response(headers=_TAR, body=engine.images.save(names, _platforms(platform)))


@route("POST", "/images/load")
async def load(
    engine: Engine,
    request: Request,
    *,
    quiet: bool = False,
    platform: tuple[str, ...] = (),
) -> AsyncIterator[Progress]:
    """ImageLoad: archives as `save` of any Docker writes them, and OCI layouts."""
    wanted = _platforms(platform)
    return engine.images.load(aiter(request.body), quiet=quiet, platforms=wanted)


@route("POST", "/images/create")
async def create(
    engine: Engine,
    request: Request,
    *,
    from_src: str = "",
    from_image: str = "",
    repo: str = "",
    tag: str = "",
    message: str = "",
    changes: tuple[str, ...] = (),
    platform: str = "",
) -> AsyncIterator[Progress]:
    """ImageCreate: ``fromImage`` pulls, ``fromSrc`` imports from a URL, or with ``-`` the body."""
    if from_image:
        return await _pull(engine, request, from_image, tag, platform)
    if not from_src:
        raise InvalidArgument("nothing to make an image from: give fromImage or fromSrc")
    from knarr.dockerfile.changes import edited
    from knarr.image import Import

    lines = tuple(line for each in changes for line in each.splitlines())
    wanted = Import(
        name=new_name(repo, tag) if repo else None,
        message=message,
        origin=from_src,
        platform=parse_platform(platform) if platform else None,
        edit=lambda config: edited(config, lines),
    )
    if from_src != "-":
        return await engine.images.import_from(from_src, wanted)
    return engine.images.import_(aiter(request.body), wanted)


async def _pull(
    engine: Engine, request: Request, name: str, tag: str, platform: str
) -> AsyncIterator[Progress]:
    """A tag, a digest, or all tags where neither is given. What cannot be found is an error yet."""
    reference = named(name, tag)
    logins = logins_of(request, reference)
    wanted = parse_platform(platform) if platform else None
    if reference.tag or reference.digest:
        return engine.exchange.pull(await engine.exchange.find(reference, logins, wanted))
    tags = await engine.exchange.tags(reference, logins)
    return engine.exchange.pull_all(reference, tags, logins, wanted)


@route("POST", "/images/{name:path}/push")
async def push(
    engine: Engine, request: Request, name: str, *, tag: str = "", platform: str = ""
) -> AsyncIterator[Progress]:
    """ImagePush: one tag, or all of a repository. ``platform`` is a JSON object here."""
    reference = named(name, tag)
    wanted = _platform(platform)
    return engine.exchange.push(reference, logins_of(request, reference), wanted)


def _platform(text: str) -> Platform | None:
    """A JSON object, as these endpoints take it. Raises InvalidArgument."""
    return normalized(decode(text, Platform)) if text else None


def _platforms(texts: tuple[str, ...]) -> tuple[Platform, ...]:
    return tuple(normalized(decode(each, Platform)) for each in texts)


@route("GET", "/images/search")
async def search_registry(
    engine: Engine,
    request: Request,
    *,
    term: str = "",
    limit: int = 0,
    filters: Filters = _NO_FILTERS,
) -> Sequence[ImageSearchResult]:
    """ImageSearch."""
    from knarr.registry.search import search

    logins = logins_for_search(request, term)
    return await search(engine.registries, term, logins, limit=limit, filters=filters)


@route("POST", "/knarr/images/bootstrap")
async def bootstrap(
    engine: Engine, *, tag: str = "", suite: str = "", include: tuple[str, ...] = ()
) -> AsyncIterator[Progress]:
    """knarr's own: a base image from the distribution's signed packages."""
    from knarr.image.bootstrap import Bootstrap, own_suite

    wanted = Bootstrap(
        tag=new_name(tag), suite=suite or own_suite(), include=tuple(sorted(set(include)))
    )
    return engine.images.bootstrap(wanted, engine.about.data_root / "tmp")


@route("POST", "/images/prune")
async def prune(engine: Engine, *, filters: Filters = _NO_FILTERS) -> ImagesPruned:
    """ImagePrune."""
    only_known(filters, "dangling", "label", "label!", "until")
    return await engine.images.prune(filters)


@route("GET", "/images/{name:path}/json")
async def inspect(
    engine: Engine, name: str, *, platform: str = "", manifests: bool = False
) -> Json:
    """ImageInspect."""
    wanted = _platform(platform)
    if wanted and manifests:
        raise InvalidArgument(
            "conflicting options: manifests and platform options cannot be used together"
        )
    return image_shape(engine.images.inspect(name, platform=wanted, manifests=manifests))


@route("GET", "/images/{name:path}/history")
async def history(engine: Engine, name: str, *, platform: str = "") -> Sequence[ImageHistoryItem]:
    """ImageHistory."""
    return engine.images.history(name, platform=_platform(platform))


@route("GET", "/images/{name:path}/get")
async def save(engine: Engine, name: str, *, platform: tuple[str, ...] = ()) -> Response:
    """ImageGet."""
    return Response(headers=_TAR, body=engine.images.save((name,), _platforms(platform)))


@route("POST", "/images/{name:path}/tag", status=201)
async def tag(engine: Engine, name: str, *, repo: str = "", tag: str = "") -> None:
    """ImageTag."""
    engine.images.tag(name, repo, tag)


@route("DELETE", "/images/{name:path}")
async def remove(
    engine: Engine,
    name: str,
    *,
    force: bool = False,
    noprune: bool = False,
    platforms: tuple[str, ...] = (),
) -> Sequence[ImageDeleted]:
    """ImageDelete."""
    return await engine.images.remove(
        name, force=force, no_prune=noprune, platforms=_platforms(platforms)
    )
