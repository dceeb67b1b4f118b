"""Search: Docker Hub's and every registry's that speaks its old API; else its catalog is looked
through.

Source: Engine API, ImageSearch; Docker's registry API v1, "Search".
"""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from typing import Final
from urllib.parse import urlencode

import msgspec

from knarr.errors import InvalidArgument, Unavailable
from knarr.reference import DEFAULT_DOMAIN, Reference
from knarr.registry.client import RegistryClient
from knarr.registry.failures import Refused
from knarr.registry.registries import Logins, Registries
from knarr.registry.threads import called_off_when_cancelled
from knarr.spec import decode
from knarr.spec.docker.image import ImageSearchResult

HUB_SEARCH: Final = "index.docker.io"
_DEFAULT_LIMIT: Final = 25
_LIMIT: Final = 100
_ANSWER_LIMIT: Final = 4 << 20
_CATALOG_LIMIT: Final = 10_000  # names that are looked through
FILTERS: Final = frozenset({"stars", "is-official", "is-automated"})


class _Answer(msgspec.Struct, frozen=True, kw_only=True):
    results: tuple[ImageSearchResult, ...] = ()


async def search(
    registries: Registries,
    term: str,
    logins: Logins,
    *,
    limit: int = 0,
    filters: Mapping[str, Sequence[str]],
) -> list[ImageSearchResult]:
    """``term`` may begin with a registry's host. limit: 1 to 100, 25 where it is 0.

    Raises InvalidArgument in Docker's words, Unavailable when the registry does not answer.
    """
    if not 0 <= limit <= _LIMIT:
        raise InvalidArgument(f"limit {limit} is outside the range of [1, {_LIMIT}]")
    wanted = _Filter.read(filters)
    domain, words = split_term(term)
    with called_off_when_cancelled() as cancellation:
        client = registries.host(HUB_SEARCH if domain == DEFAULT_DOMAIN else domain,
                                 _for_search(logins, domain), cancellation)  # fmt: skip
        found = await asyncio.to_thread(_found, client, words, limit or _DEFAULT_LIMIT)
    prefix = "" if domain == DEFAULT_DOMAIN else f"{domain}/"
    named = [
        msgspec.structs.replace(each, name=prefix + each.name.removeprefix(prefix))
        for each in found
    ]
    return [each for each in named if wanted.admits(each)][: limit or _DEFAULT_LIMIT]


def split_term(term: str) -> tuple[str, str]:
    """The registry's domain and what is looked for there. Raises InvalidArgument."""
    if "://" in term:
        raise InvalidArgument(
            f"invalid repository name: repository name ({term}) should not have a scheme"
        )
    head, slash, tail = term.partition("/")
    is_host = "." in head or ":" in head or head == "localhost"
    if not (slash and is_host):
        return DEFAULT_DOMAIN, term.removeprefix("library/")
    if Reference.parse(f"{head}/x").domain == DEFAULT_DOMAIN:
        return DEFAULT_DOMAIN, tail.removeprefix("library/")
    return head, tail


def _for_search(logins: Logins, domain: str) -> Logins:
    """Docker Hub's search is on a machine of its own, and takes the same login."""
    if domain != DEFAULT_DOMAIN:
        return logins
    return Logins(by_server={HUB_SEARCH: logins.for_domain(domain), **logins.by_server})


def _found(client: RegistryClient, words: str, limit: int) -> Iterable[ImageSearchResult]:
    """In a thread."""
    url = f"{client.base()}/v1/search?{urlencode({'q': words, 'n': limit})}"
    try:
        answer = client.ask("GET", url).read_all(_ANSWER_LIMIT)
        return decode(answer, _Answer).results
    except Refused as error:
        if error.refusal.status != 404:
            raise error.meaning() from error
    try:
        names = (name for name, _ in zip(client.repositories(), range(_CATALOG_LIMIT)))  # noqa: B905
        return [ImageSearchResult(name=name) for name in names if words.lower() in name]
    except Refused as error:
        raise Unavailable(f"{client.endpoint.host} can neither search nor list") from error


class _Filter(msgspec.Struct, frozen=True, kw_only=True):
    """What ``--filter`` asks for."""

    stars: int = 0
    official: bool | None = None
    automated: bool | None = None

    @classmethod
    def read(cls, filters: Mapping[str, Sequence[str]]) -> "_Filter":
        if unknown := filters.keys() - FILTERS:
            raise InvalidArgument(f"invalid filter '{min(unknown)}'")
        return cls(
            stars=max((_whole(each) for each in filters.get("stars", ())), default=0),
            official=_truth(filters, "is-official"),
            automated=_truth(filters, "is-automated"),
        )

    def admits(self, result: ImageSearchResult) -> bool:
        return (
            result.star_count >= self.stars
            and self.official in (None, result.is_official)
            and self.automated in (None, result.is_automated)
        )


def _whole(text: str) -> int:
    if not (text.isascii() and text.isdecimal()):
        raise InvalidArgument(f"invalid filter 'stars={text}'")
    return int(text)


def _truth(filters: Mapping[str, Sequence[str]], name: str) -> bool | None:
    values = filters.get(name, ())
    if not values:
        return None
    if values[-1] not in ("true", "1", "false", "0"):
        raise InvalidArgument(f"invalid filter '{name}={values[-1]}'")
    return values[-1] in ("true", "1")
