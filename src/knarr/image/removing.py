"""Removing: names first, then the images that nothing leads to any more, then what only they held.

What stands against it is decided in removal.py.
"""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress

from knarr.errors import Conflict, NotFound
from knarr.events import Event
from knarr.ids import DiffId, ImageId
from knarr.image import documents, index_rows, removal, rows
from knarr.image.catalogue import Catalogue
from knarr.image.events import image_event
from knarr.image.filters import PRUNE, Filters
from knarr.image.model import Image, ImageUsers
from knarr.image.removal import HARD, SOFT, ImageInUse, Reason, Situation
from knarr.image.showing import Showing
from knarr.reference import Reference
from knarr.snapshot import Layers
from knarr.spec.docker.image import ImageDeleted, ImagesPruned
from knarr.spec.oci.image import Platform
from knarr.spec.oci.platform import platform_of, suits
from knarr.store import Database

Told = list[ImageDeleted]


class Removing:
    """The verbs. ``collect`` is the service's."""

    def __init__(
        self,
        db: Database,
        layers: Layers,
        users: ImageUsers,
        catalogue: Catalogue,
        showing: Showing,
        collect: Callable[[], set[DiffId]],
    ) -> None:
        self._db, self._layers, self._users = db, layers, users
        self._catalogue, self._showing, self._collect = catalogue, showing, collect

    async def remove(
        self, ref: str, *, force: bool, prune: bool, platforms: Sequence[Platform]
    ) -> tuple[ImageDeleted, ...]:
        """As ``ImageService.remove``."""
        try:
            if platforms:
                return self._remove_platforms(ref, platforms, force=force, prune=prune)
            return self._remove(ref, force=force, prune=prune)
        finally:
            await asyncio.to_thread(self._layers.empty_trash)

    async def prune(self, filters: Filters) -> ImagesPruned:
        """As ``ImageService.prune``."""
        wanted = self._showing.filter(filters, PRUNE)
        dangling_only = wanted.dangling is not False
        before = sum(self._showing.layer_sizes().values())
        deleted: Told = []
        images = rows.every(self._db)
        parents = {image.parent for image in images}
        for image in images:
            own = image.tags or image.repo_digests
            intermediate = not own and image.id in parents
            goes_with_another = not own and image.platform_names
            kept = (dangling_only and image.tags) or intermediate or goes_with_another
            if kept or not wanted.admits(image):
                continue
            names = [str(each) for each in (*image.tags, *image.repo_digests)]
            for ref in names or [image.id]:
                with suppress(Conflict, NotFound):
                    deleted += self._remove(ref, force=False, prune=True)
        await asyncio.to_thread(self._layers.empty_trash)
        freed = before - sum(self._showing.layer_sizes().values())
        with self._db.transaction() as tx:
            tx.emit(
                Event(type="image", action="prune", actor="", attributes={"reclaimed": str(freed)})
            )
        return ImagesPruned(images_deleted=tuple(deleted), space_reclaimed=freed)

    def _remove(self, ref: str, *, force: bool, prune: bool) -> tuple[ImageDeleted, ...]:
        image = self._catalogue.resolve(ref)
        told: Told = []
        if removal.is_id_prefix(image.id, ref):
            family = self._led_by(image)
            situation = self._situation(image, family)
            if removal.is_single(situation.references):
                removal.refuse_delete(situation, HARD if force else HARD | Reason.STOPPED)
                self._untag(image, situation.references, told)
            self._delete(image.id, told, force=force, prune=prune, quiet=False)
            others = family[1:]
        else:
            others = self._catalogue.platforms(ref)
            if not force:
                removal.refuse_untag(self._situation(image, others), ref)
            name = Reference.parse(ref).tagged()
            self._untag(image, _removed_with(image, name, others), told)
        self._delete_unnamed(others, told, force=force, prune=prune)
        return tuple(told)

    def _remove_platforms(
        self, ref: str, platforms: Sequence[Platform], *, force: bool, prune: bool
    ) -> tuple[ImageDeleted, ...]:
        """Some of an index's images; the last one takes the name with it."""
        index, offered = self._catalogue.index(ref), self._catalogue.platforms(ref)
        meant = [image for image in offered
                 if any(suits(each, platform_of(image.document)) == 0 for each in platforms)]  # fmt: skip  # noqa: E501
        told: Told = []
        for image in meant:
            if index is None or len(self._catalogue.platforms(ref)) == 1:
                told += self._remove(ref, force=force, prune=prune)
                break
            removal.refuse_delete(
                Situation(image=image, children=(), users=self._users.containers_of(image.id)),
                HARD if force else HARD | Reason.STOPPED,
            )
            with self._db.transaction() as tx:
                index_rows.leave(tx, image.id, index.digest)
            self._delete_unnamed([image], told, force=force, prune=prune)
        return tuple(told)

    def _led_by(self, image: Image) -> list[Image]:
        """The image, and the other platforms of the names that lead to it."""
        led = index_rows.led_by(self._db).get(image.id, ())
        others = dict.fromkeys(each for index in led for each in index.images.values())
        return [image, *(self._catalogue.get(each) for each in others if each != image.id)]

    def _delete_unnamed(
        self, images: Iterable[Image], told: Told, *, force: bool, prune: bool
    ) -> None:
        """Those of them that nothing leads to any more."""
        for each in images:
            image = rows.find(self._db, each.id)
            if image and not (image.tags or image.repo_digests or image.platform_names):
                self._delete(image.id, told, force=force, prune=prune, quiet=True)

    def _situation(self, image: Image, family: Sequence[Image] = ()) -> Situation:
        """family: images of other platforms that go with it; who stands on them counts too."""
        everyone = dict.fromkeys((image.id, *(each.id for each in family)))
        users = [user for each in everyone for user in self._users.containers_of(each)]
        return Situation(image=image, children=rows.children_of(self._db, image.id), users=users)

    def _untag(self, image: Image, references: Sequence[Reference], told: Told) -> None:
        with self._db.transaction() as tx:
            for reference in references:
                rows.drop_reference(tx, reference)
                tx.emit(image_event("untag", image, image.id))
                told.append(ImageDeleted(untagged=reference.familiar))
            index_rows.forget_unnamed(tx)

    def _delete(
        self, image_id: ImageId, told: Told, *, force: bool, prune: bool, quiet: bool
    ) -> None:
        """Delete an image, then its parents while they have no name, child or container.

        quiet: its name is gone already, so what stands against the rest is no error, unless the
        image would be left dangling without need.
        """
        image = self._catalogue.get(image_id)
        situation = self._situation(image)
        try:
            removal.refuse_delete(situation, HARD if force else HARD | SOFT)
        except Conflict as conflict:
            if quiet and (not situation.dangling or isinstance(conflict, ImageInUse)):
                return
            raise
        self._untag(image, situation.references, told)
        with self._db.transaction() as tx:
            index_rows.leave(tx, image_id)
            rows.drop(tx, image_id)
            tx.emit(image_event("delete", image, image_id))
        told.append(ImageDeleted(deleted=image_id))
        told += [
            ImageDeleted(deleted=chain) for chain in documents.freed_chains(image, self._collect())
        ]
        if prune and image.parent and rows.find(self._db, image.parent) is not None:
            self._delete(image.parent, told, force=False, prune=True, quiet=True)


def _removed_with(
    image: Image, reference: Reference, family: Sequence[Image]
) -> tuple[Reference, ...]:
    """The name, and with a repository's last tag the digests that came with it.

    family: the image and those of other platforms under that name.
    """
    if reference.digest:
        return (reference,)
    others = [each for each in image.tags if each.name == reference.name and each != reference]
    known = dict.fromkeys(each for member in family for each in member.repo_digests)
    digests = [each for each in known if each.name == reference.name]
    return (reference,) if others else (reference, *digests)
