"""Verbs of images. Source: Engine API, tags "Image" and "Distribution"."""

from __future__ import annotations

from knarr.client.call import TAR_TYPE, Call, Lines, Pieces, document, filters, path, query
from knarr.client.lean import TYPE_CHECKING, dumps

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from knarr.client.call import Body, Filters
    from knarr.spec.docker.image import (
        DistributionInspect,
        ImageDeleted,
        ImageHistoryItem,
        ImageInspect,
        ImageSearchResult,
        ImagesPruned,
        ImageSummary,
    )
    from knarr.spec.docker.progress import Progress
    from knarr.spec.knarr.image import ImageDifference, ImageLayers, StoreShare
    from knarr.spec.knarr.registry import RegistryManifest

    Platform = Mapping[str, str]  # {"os": "linux", "architecture": "arm64", "variant": "v8"}


def _platform(platform: Platform | None) -> str | None:
    return dumps(dict(platform)) if platform else None


def _registry_auth(auth: str | None) -> tuple[tuple[str, str], ...]:
    return (("X-Registry-Auth", auth),) if auth else ()


def list_(
    *,
    all_: bool = False,
    shared_size: bool = False,
    digests: bool = False,
    manifests: bool = False,
    where: Filters | None = None,
) -> Call[tuple[ImageSummary, ...]]:
    """Images, the newest first."""
    pairs = query(
        all=all_ or None, digests=digests or None, filters=filters(where),
        manifests=manifests or None, **({"shared-size": True} if shared_size else {}),
    )  # fmt: skip
    return Call("GET", "/images/json", pairs)


def inspect(ref: str, *, platform: Platform | None = None) -> Call[ImageInspect]:
    """All that the engine knows of one image."""
    return Call("GET", path("images", ref, "json"), query(platform=_platform(platform)))


def history(ref: str, *, platform: Platform | None = None) -> Call[tuple[ImageHistoryItem, ...]]:
    """The steps that made the image, the last one first."""
    return Call("GET", path("images", ref, "history"), query(platform=_platform(platform)))


def pull(
    name: str, *, tag: str | None = None, platform: str | None = None, auth: str | None = None
) -> Lines[Progress]:
    """Fetch an image. ``tag`` may be a digest; without one all tags are fetched.

    ``auth``: base64url JSON of the registry's credentials.
    """
    pairs = query(fromImage=name, platform=platform or None, tag=tag or None)
    return Lines("POST", "/images/create", pairs, headers=_registry_auth(auth))


def push(
    name: str, *, tag: str | None = None, platform: Platform | None = None, auth: str | None = None
) -> Lines[Progress]:
    """Send an image to the registry that its name says."""
    pairs = query(platform=_platform(platform), tag=tag or None)
    # The engine refuses a push without the header, even where nobody has logged in: "{}".
    return Lines(
        "POST", path("images", name, "push"), pairs, headers=_registry_auth(auth or "e30=")
    )


def import_(
    archive: bytes | Iterable[bytes] | None,
    *,
    source: str = "-",
    repo: str | None = None,
    tag: str | None = None,
    message: str | None = None,
    changes: Iterable[str] = (),
    platform: str | None = None,
) -> Lines[Progress]:
    """Make an image of one layer from a tar of a file system: sent here, or at a URL."""
    pairs = query(
        changes=list(changes), fromSrc=source, message=message or None,
        platform=platform or None, repo=repo or None, tag=tag or None,
    )  # fmt: skip
    headers = (("Content-Type", TAR_TYPE),) if archive is not None else ()
    return Lines("POST", "/images/create", pairs, body=archive, headers=headers)


def show(ref: str, *, files: bool = False) -> Call[ImageLayers]:
    """knarr's own: each step of an image and what its layer did; with ``files`` each path."""
    return Call("GET", path("knarr", "images", ref, "show"), query(files=files or None))


def diff(before: str, after: str) -> Call[ImageDifference]:
    """knarr's own: how the second image differs from the first."""
    return Call("GET", path("knarr", "images", before, "diff"), query(to=after))


def explain() -> Call[StoreShare]:
    """knarr's own: what shares what, and what removing it would free."""
    return Call("GET", "/knarr/images/explain")


def files(ref: str) -> Pieces:
    """knarr's own: the image's file system as one tar."""
    return Pieces("GET", path("knarr", "images", ref, "files"))


def bootstrap(tag: str, *, suite: str = "", include: Iterable[str] = ()) -> Lines[Progress]:
    """knarr's own: a base image from the distribution's packages, for machines without a registry.

    suite: of the distribution; empty for the engine's own machine's.
    """
    pairs = query(include=list(include), suite=suite or None, tag=tag)
    return Lines("POST", "/knarr/images/bootstrap", pairs)


def load(
    archive: bytes | Iterable[bytes], *, quiet: bool = False, platforms: Iterable[Platform] = ()
) -> Lines[Progress]:
    """Take in an archive that ``save`` made."""
    pairs = query(platform=[_platform(each) for each in platforms], quiet=quiet or None)
    return Lines("POST", "/images/load", pairs, body=archive, headers=(("Content-Type", TAR_TYPE),))


def save(refs: Iterable[str], *, platforms: Iterable[Platform] = ()) -> Pieces:
    """Images with all their layers, as one tar archive."""
    pairs = query(names=list(refs), platform=[_platform(each) for each in platforms])
    return Pieces("GET", "/images/get", pairs)


def tag(ref: str, repo: str, *, tag: str | None = None) -> Call[None]:
    """Give an image one more name."""
    return Call("POST", path("images", ref, "tag"), query(repo=repo, tag=tag or None))


def remove(
    ref: str, *, force: bool = False, no_prune: bool = False, platforms: Iterable[Platform] = ()
) -> Call[tuple[ImageDeleted, ...]]:
    """Take a name away, and with the last name the image."""
    pairs = query(
        force=force or None,
        noprune=no_prune or None,
        platforms=[_platform(each) for each in platforms],
    )
    return Call("DELETE", path("images", ref), pairs)


def search(
    term: str,
    *,
    limit: int | None = None,
    where: Filters | None = None,
    auth: str | None = None,
) -> Call[tuple[ImageSearchResult, ...]]:
    """Images on the hub by a word."""
    pairs = query(filters=filters(where), limit=limit, term=term)
    return Call("GET", "/images/search", pairs, headers=_registry_auth(auth))


def prune(where: Filters | None = None) -> Call[ImagesPruned]:
    """Remove images that nobody uses: the unnamed ones, or all with ``{"dangling": ["false"]}``."""
    return Call("POST", "/images/prune", query(filters=filters(where)))


def manifest(
    ref: str, *, children: bool = False, insecure: bool = False, auth: str | None = None
) -> Call[RegistryManifest]:
    """knarr's own: a manifest or index in its registry; with ``children`` those it names too."""
    pairs = query(children=children or None, insecure=insecure or None)
    place = path("knarr", "distribution", ref, "manifest")
    return Call("GET", place, pairs, headers=_registry_auth(auth))


def push_index(
    ref: str, body: Body, *, insecure: bool = False, auth: str | None = None
) -> Lines[Progress]:
    """knarr's own: an index of manifests in the same registry; ``body`` is an IndexPush."""
    return Lines(
        "POST", path("knarr", "distribution", ref, "index"), query(insecure=insecure or None),
        body=document(body), headers=_registry_auth(auth),
    )  # fmt: skip


def distribution(ref: str, *, auth: str | None = None) -> Call[DistributionInspect]:
    """What the registry says of an image, without fetching it."""
    return Call("GET", path("distribution", ref, "json"), headers=_registry_auth(auth))
