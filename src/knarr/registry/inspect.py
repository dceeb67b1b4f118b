"""What a name stands for in its registry, without pulling it.

Source: Engine API, DistributionInspect.
"""

import asyncio
from dataclasses import dataclass

from knarr.errors import KnarrError
from knarr.reference import DEFAULT_TAG, Reference
from knarr.registry.asking import first_answer
from knarr.registry.client import RegistryClient
from knarr.registry.manifests import CONFIG_LIMIT, Fetched, image_config, is_attestation, read_index
from knarr.registry.registries import Logins, Registries
from knarr.registry.threads import called_off_when_cancelled
from knarr.spec import decode
from knarr.spec.oci.image import ImageDocument, Platform
from knarr.spec.oci.platform import platform_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Distribution:
    """root: a manifest or an index. platforms: that it is there for, as they are written there."""

    root: Fetched
    platforms: tuple[Platform, ...]


async def distribution(
    registries: Registries, reference: Reference, logins: Logins
) -> Distribution:
    """Raises NotFound, Unauthorized, Unavailable in Docker's words."""
    with called_off_when_cancelled() as cancellation:
        clients = registries.pullers(reference, logins, cancellation)
        found, _ = await asyncio.to_thread(
            first_answer, clients, reference, lambda client: _read(client, reference)
        )
        return found


def _read(client: RegistryClient, reference: Reference) -> Distribution:
    about = reference.familiar
    root = client.manifest(reference.digest or reference.tag or DEFAULT_TAG, about)
    if root.is_index:
        named = (each for each in read_index(root).manifests if not is_attestation(each))
        return Distribution(
            root=root, platforms=tuple(each.platform for each in named if each.platform)
        )
    return Distribution(root=root, platforms=_of_image(client, root, about))


def _of_image(client: RegistryClient, manifest: Fetched, about: str) -> tuple[Platform, ...]:
    try:
        config = client.small_blob(image_config(manifest, about), CONFIG_LIMIT, about)
        document = decode(config.raw, ImageDocument)
    except KnarrError:
        return ()  # an artifact runs nowhere
    return (platform_of(document),) if document.os else ()
