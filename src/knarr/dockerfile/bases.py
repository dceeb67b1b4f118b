"""The images that a build stands on: those that are here, and those that have to be pulled."""

from collections.abc import AsyncIterator, Callable, Mapping
from typing import Protocol

from knarr.dockerfile.lower import bases_needed, normal_image_name
from knarr.dockerfile.model import Dockerfile
from knarr.dockerfile.plan import BaseRequest, BuildOptions
from knarr.dockerfile.platforms import host_platform
from knarr.dockerfile.source import suggestion
from knarr.errors import KnarrError, NotFound
from knarr.image import Image, ImageService
from knarr.reference import Reference
from knarr.spec.docker.auth import AuthConfig
from knarr.spec.docker.progress import Progress
from knarr.spec.oci.image import ImageDocument, Platform
from knarr.spec.oci.platform import platform_of, platform_text, suits

Say = Callable[[Progress], None]


class Puller(Protocol):
    """Who gets images that are not here."""

    def pull(
        self, reference: Reference, platform: Platform, logins: Mapping[str, AuthConfig]
    ) -> AsyncIterator[Progress]:
        """Raises NotFound, Unauthorized, Unavailable in Docker's words."""
        ...


class Bases:
    """Looks for images, and has them pulled."""

    def __init__(self, images: ImageService, puller: Puller | None) -> None:
        self._images = images
        self._puller = puller

    def document_here(self, base: BaseRequest) -> ImageDocument:
        """Its config; an empty one where the image is not here."""
        image = self._images.find(base.reference, base.platform)
        return image.document if image else ImageDocument()

    async def all(
        self,
        dockerfile: Dockerfile,
        options: BuildOptions,
        logins: Mapping[str, AuthConfig],
        say: Say,
        *,
        pull: bool,
        exact: bool = False,
    ) -> dict[BaseRequest, Image]:
        """What the build needs to know. Raises NotFound for an image that is nowhere.

        exact: one for another platform will not do.
        """
        known: dict[BaseRequest, Image] = {}
        contexts = options.contexts.values()
        kept = {normal_image_name(each.reference) for each in contexts if each.here}
        while needed := bases_needed(dockerfile, options, documents(known)):
            for base in sorted(needed, key=lambda each: each.reference):
                here = self._images.find(base.reference, base.platform)
                unfit = exact and here is not None and not _is_for(base, here)
                may_pull = self._puller is not None and base.reference not in kept
                if here is None or ((pull or unfit) and may_pull):
                    here = await self._pulled(base, dockerfile, logins, say)
                if exact and not _is_for(base, here):
                    raise NotFound(
                        f"{base.reference} is not for {platform_text(base.platform)}, but for"
                        f" {platform_text(platform_of(here.document))}"
                    )
                known[base] = here
        return known

    async def fetched(self, ref: str, logins: Mapping[str, AuthConfig], say: Say) -> Image:
        """An image that is not here, for this machine's platform. Raises NotFound, Unavailable."""
        if self._puller is None:
            raise NotFound(f"No such image: {ref}")
        async for document in self._puller.pull(Reference.parse(ref), host_platform(), logins):
            say(document)
        return self._images.resolve(ref)

    async def _pulled(
        self,
        base: BaseRequest,
        dockerfile: Dockerfile,
        logins: Mapping[str, AuthConfig],
        say: Say,
    ) -> Image:
        reference = Reference.parse(base.reference)
        if self._puller is None:
            raise NotFound(f"No such image: {reference.familiar}{_hint(reference, dockerfile)}")
        try:
            async for document in self._puller.pull(reference, base.platform, logins):
                say(document)
        except KnarrError as error:
            hint = _hint(reference, dockerfile)
            if not hint:
                raise
            raise type(error)(f"{error}{hint}") from error
        return self._images.find(base.reference, base.platform) or self._images.resolve(
            base.reference
        )


def documents(images: Mapping[BaseRequest, Image]) -> dict[BaseRequest, ImageDocument]:
    """What the language wants to know of them."""
    return {base: image.document for base, image in images.items()}


def _is_for(base: BaseRequest, image: Image) -> bool:
    return suits(base.platform, platform_of(image.document)) is not None


def _hint(reference: Reference, dockerfile: Dockerfile) -> str:
    """Perhaps a stage was meant."""
    stages = [stage.name for stage in dockerfile.stages if stage.name]
    if reference.familiar_name in stages:
        return f" (the stage {reference.familiar_name} comes later: only earlier ones can be used)"
    return suggestion(reference.familiar_name, stages)
