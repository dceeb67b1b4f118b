"""Images pinned: each name with the digest that its registry has for it now."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from knarr.cli.credentials import header_for
from knarr.client.calls import images
from knarr.compose.project import Project
from knarr.errors import KnarrError
from knarr.ids import Digest
from knarr.reference import Reference
from knarr.spec.docker.image import DistributionInspect

if TYPE_CHECKING:
    from knarr.cli.compose.call import Call


def pinned(call: Call, project: Project) -> Project:
    """Raises KnarrError for an image that its registry does not know."""
    services = {
        name: service.with_values(image=_pinned(call, service.get("image")))
        if service.get("image")
        else service
        for name, service in project.services.items()
    }
    return replace(project, services=services)


def pinned_tree(call: Call, tree: dict[str, Any]) -> dict[str, Any]:
    """The same for a file whose variables are left as they are."""
    services = {
        name: {**service, "image": _pinned(call, service["image"])}
        if service.get("image")
        else service
        for name, service in tree.get("services", {}).items()
    }
    return {**tree, "services": services}


def _pinned(call: Call, name: str) -> str:
    reference = Reference.parse(name).tagged()
    if reference.digest:
        return str(reference)
    auth = header_for(call.cli, reference.domain)
    try:
        found = call.engines.ask(
            images.distribution(str(reference), auth=auth), DistributionInspect
        )
    except KnarrError as error:
        raise KnarrError(f"failed to resolve digest for {reference}: {error}") from error
    digest = found.descriptor.digest if found.descriptor else ""
    return str(
        Reference(
            domain=reference.domain, path=reference.path, tag=reference.tag, digest=Digest(digest)
        )
    )
