"""What a request asks of a registry: its path, read.

Pure. Names may hold slashes, so paths are read from their end.
Source: OCI distribution-spec 1.1, "Endpoints"; distribution/distribution, catalog; Docker's search.
"""

import re
from dataclasses import dataclass
from typing import Final

from knarr.ids import is_digest
from knarr.registry.server.problems import Problem

_COMPONENT: Final = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_NAME: Final = re.compile(rf"{_COMPONENT}(?:/{_COMPONENT})*")
_TAG: Final = re.compile(r"[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}")
_ALGORITHM: Final = re.compile(r"[a-z0-9]+(?:[.+_-][a-z0-9]+)*:[a-zA-Z0-9=_-]+")
_NAME_LIMIT: Final = 255


@dataclass(frozen=True, slots=True)
class Check:
    """``/v2/``: is this a registry, and who am I to it?"""


@dataclass(frozen=True, slots=True)
class Catalog:
    """All repositories that the caller may see."""


@dataclass(frozen=True, slots=True)
class Tags:
    name: str


@dataclass(frozen=True, slots=True)
class Manifest:
    """``reference`` is a tag or a digest."""

    name: str
    reference: str

    @property
    def by_digest(self) -> bool:
        return is_digest(self.reference)


@dataclass(frozen=True, slots=True)
class Blob:
    name: str
    digest: str


@dataclass(frozen=True, slots=True)
class Uploads:
    """Where uploads begin."""

    name: str


@dataclass(frozen=True, slots=True)
class Upload:
    """One upload under way."""

    name: str
    session: str


@dataclass(frozen=True, slots=True)
class Referrers:
    name: str
    digest: str


@dataclass(frozen=True, slots=True)
class Token:
    """The registry's own token server."""


@dataclass(frozen=True, slots=True)
class Search:
    """Docker's search, and the check that it makes before."""

    ping: bool = False


@dataclass(frozen=True, slots=True)
class Page:
    """The pages for people: the list, or one repository or tag."""

    name: str = ""
    tag: str = ""


Place = (
    Check | Catalog | Tags | Manifest | Blob | Uploads | Upload | Referrers | Token | Search | Page
)


def place_of(path: str) -> Place | None:
    """The place that a path means; None when there is none such.

    Raises Problem for a name, a tag or a digest that cannot be one.
    """
    match path:
        case "/v2" | "/v2/":
            return Check()
        case "/v2/_catalog":
            return Catalog()
        case "/token":
            return Token()
        case "/v1/search":
            return Search()
        case "/v1/_ping":
            return Search(ping=True)
        case "/":
            return Page()
    if path.startswith("/repository/"):
        name, _, tag = path.removeprefix("/repository/").partition(":")
        return Page(name=_name(name), tag=tag)
    if path.startswith("/v2/"):
        return _in_repository(path.removeprefix("/v2/"))
    return None


def _in_repository(path: str) -> Place | None:
    if path.endswith("/tags/list"):
        return Tags(_name(path.removesuffix("/tags/list")))
    if path.endswith(("/blobs/uploads/", "/blobs/uploads")):
        return Uploads(_name(path.rstrip("/").removesuffix("/blobs/uploads")))
    head, _, last = path.rpartition("/")
    name, _, kind = head.rpartition("/")
    match kind:
        case "manifests":
            return Manifest(_name(name), _reference(last))
        case "blobs":
            return Blob(_name(name), _digest(last))
        case "referrers":
            return Referrers(_name(name), _digest(last))
        case "uploads" if name.endswith("/blobs"):
            return Upload(_name(name.removesuffix("/blobs")), last)
    return None


def _name(text: str) -> str:
    if len(text) > _NAME_LIMIT or not _NAME.fullmatch(text):
        raise Problem("NAME_INVALID")
    return text


def _digest(text: str) -> str:
    """Raises Problem for other algorithms than sha256 too: content is kept by that one."""
    if not is_digest(text):
        raise Problem("DIGEST_INVALID", "invalid digest: sha256 and 64 hexadecimal digits")
    return text


def _reference(text: str) -> str:
    if ":" in text:
        if not _ALGORITHM.fullmatch(text) or text.startswith("sha256:"):
            return _digest(text)
        raise Problem("MANIFEST_UNKNOWN", "manifest unknown: digests here are sha256")
    if not _TAG.fullmatch(text):
        raise Problem("TAG_INVALID", "invalid tag")
    return text
