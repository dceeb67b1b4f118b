"""What stands against removing an image, in Docker's words; what it takes to delete it.

Pure: the service collects what is the case, and carries out what is decided here.
Source: Engine API, ImageDelete; the behaviour of Docker 20.10 to 28.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Flag, auto

from knarr.errors import Conflict
from knarr.ids import ImageId, short
from knarr.image.model import Image, ImageUser
from knarr.reference import Reference


class Reason(Flag):
    """What may stand against it. Force overrides the last two only."""

    CHILDREN = auto()
    RUNNING = auto()
    REFERENCED = auto()
    STOPPED = auto()


HARD = Reason.CHILDREN | Reason.RUNNING
SOFT = Reason.REFERENCED | Reason.STOPPED


@dataclass(frozen=True, slots=True, kw_only=True)
class Situation:
    """An image and everything that depends on it."""

    image: Image
    children: Sequence[ImageId]
    users: Sequence[ImageUser]

    @property
    def references(self) -> tuple[Reference, ...]:
        return (*self.image.tags, *self.image.repo_digests)

    @property
    def dangling(self) -> bool:
        return not self.references and not self.children


class ImageInUse(Conflict):
    """Not deleted: a container stands on it."""


def is_id_prefix(image: ImageId, text: str) -> bool:
    return image.startswith(text) or image.removeprefix("sha256:").startswith(text)


def is_single(references: Sequence[Reference]) -> bool:
    """Whether all references are of one repository, with one tag at most."""
    if len(references) <= 1:
        return len(references) == 1
    tagged = [each for each in references if not each.digest]
    if len(tagged) > 1:
        return False
    digested = {each.name for each in references if each.digest}
    first = tagged[0] if tagged else references[0]
    return digested == {first.name}


def refuse_untag(situation: Situation, ref: str) -> None:
    """A container's image must not lose its last name without force. Raises Conflict."""
    if is_single(situation.references) and situation.users:
        raise Conflict(
            f'conflict: unable to remove repository reference "{ref}" (must force) - container'
            f" {short(situation.users[0].id)} is using its referenced image"
            f" {short(situation.image.id)}"
        )


def refuse_delete(situation: Situation, reasons: Reason) -> None:
    """Raises Conflict, or ImageInUse, for the first of ``reasons`` that is the case."""
    running = [user for user in situation.users if user.running]
    stopped = [user for user in situation.users if not user.running]
    image = short(situation.image.id)
    if Reason.CHILDREN in reasons and situation.children:
        raise Conflict(
            f"conflict: unable to delete {image} (cannot be forced)"
            " - image has dependent child images"
        )
    if Reason.RUNNING in reasons and running:
        raise ImageInUse(
            f"conflict: unable to delete {image} (cannot be forced)"
            f" - image is being used by running container {short(running[0].id)}"
        )
    if Reason.REFERENCED in reasons and situation.references:
        raise Conflict(
            f"conflict: unable to delete {image} (must be forced)"
            " - image is referenced in multiple repositories"
        )
    if Reason.STOPPED in reasons and stopped:
        raise ImageInUse(
            f"conflict: unable to delete {image} (must be forced)"
            f" - image is being used by stopped container {short(stopped[0].id)}"
        )
