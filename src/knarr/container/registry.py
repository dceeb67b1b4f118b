"""All containers of the engine, in memory as in the database, found by ID, name or ID prefix."""

from collections.abc import Iterator

from knarr.container.model import Container
from knarr.container.names import checked_name
from knarr.errors import Conflict, InvalidArgument, NotFound
from knarr.ids import ContainerId, ImageId, is_hex_prefix
from knarr.image import ImageUser


class ContainerRegistry:
    """What was last committed for each container. Changed only by the service, after a commit."""

    def __init__(self) -> None:
        self._by_id: dict[ContainerId, Container] = {}
        self._ids: dict[str, ContainerId] = {}  # by name

    def __iter__(self) -> Iterator[Container]:
        return iter(tuple(self._by_id.values()))

    def __len__(self) -> int:
        return len(self._by_id)

    def get(self, container_id: str) -> Container | None:
        """By its whole ID alone."""
        return self._by_id.get(ContainerId(container_id))

    def containers_of(self, image: ImageId) -> tuple[ImageUser, ...]:
        """Who stands on an image: what the image room asks before it removes one."""
        return tuple(
            ImageUser(id=each.id, running=each.alive)
            for each in self._by_id.values()
            if each.image == image
        )

    def find(self, ref: str) -> Container:
        """By ID, name or an ID's beginning. Raises NotFound, or InvalidArgument if ambiguous."""
        if found := self._by_id.get(ContainerId(ref)):
            return found
        if (container_id := self._ids.get(ref.removeprefix("/"))) is not None:
            return self._by_id[container_id]
        matching = self._starting_with(ref) if is_hex_prefix(ref) else []
        if len(matching) > 1:
            raise InvalidArgument(f"multiple IDs found with provided prefix: {ref}")
        if not matching:
            raise NotFound(f"No such container: {ref}")
        return matching[0]

    def _starting_with(self, prefix: str) -> list[Container]:
        return [each for each in self._by_id.values() if each.id.startswith(prefix)]

    def is_taken(self, name: str) -> bool:
        return name in self._ids

    def check_name_is_free(self, name: str) -> None:
        """Raises Conflict in Docker's words."""
        if (holder := self._ids.get(name)) is not None:
            raise Conflict(
                f'Conflict. The container name "/{name}" is already in use by container'
                f' "{holder}". You have to remove (or rename) that container to be able to reuse'
                " that name."
            )

    def new_name(self, before: str, wanted: str) -> str:
        """``wanted`` for a container that is called ``before``, without its leading slash.

        Raises Conflict and InvalidArgument in Docker's words.
        """
        spelled = f"/{wanted.removeprefix('/')}"
        if spelled == f"/{before}":
            raise InvalidArgument("Renaming a container with the same name as its current name")
        try:
            name = checked_name(spelled)
            self.check_name_is_free(name)
        except (Conflict, InvalidArgument) as error:
            raise type(error)(f"Error when allocating new name: {error}") from error
        return name

    def put(self, container: Container) -> None:
        """Add the container, or replace what was known of it."""
        before = self._by_id.get(container.id)
        if before is not None and before.name != container.name:
            del self._ids[before.name]
        self._by_id[container.id] = container
        self._ids[container.name] = container.id

    def drop(self, container: Container) -> None:
        self._by_id.pop(container.id, None)
        self._ids.pop(container.name, None)
