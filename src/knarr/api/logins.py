"""Who a request speaks for to a registry, and which image it names."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from knarr.errors import InvalidArgument
from knarr.http.message import Request
from knarr.ids import Digest, is_digest
from knarr.reference import Reference
from knarr.spec.docker.auth import read_header

if TYPE_CHECKING:
    from knarr.registry import Logins

_HEADER = "x-registry-auth"


def named(name: str, tag: str) -> Reference:
    """An image by a name, and a tag or digest that is given apart from it."""
    reference = Reference.parse(name)
    if is_digest(tag):
        return replace(reference, tag="", digest=Digest(tag))
    if not tag:
        return reference
    if Reference.parse(f"{reference.name}:{tag}").tag != tag:
        raise InvalidArgument("invalid tag format")
    return replace(reference, tag=tag, digest=None)


def logins_of(request: Request, reference: Reference) -> Logins:
    """The login that came with a request, for the registry of this image and no other."""
    from knarr.registry import Logins

    return Logins.for_reference(read_header(request.headers.get(_HEADER, "")), reference)


def logins_for_search(request: Request, term: str) -> Logins:
    """The same for a search, whose term may begin with a registry."""
    from knarr.registry import Logins
    from knarr.registry.search import split_term

    domain, _ = split_term(term)
    login = read_header(request.headers.get(_HEADER, ""))
    return Logins.for_reference(login, Reference(domain=domain, path=""))
