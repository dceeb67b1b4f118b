"""From an error about a path to the file and the line that say what is at the path."""

from collections.abc import Iterable

from knarr.compose.document import Document
from knarr.compose.origin import ComposeFileError, Origin, Path
from knarr.compose.shape import ShapeError


class Blame:
    """Gives errors about a path the line of the last document that has the most of it."""

    def __init__(self, read: Iterable[Document] = ()) -> None:
        self._read = list(read)

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, ShapeError):
            raise ComposeFileError(
                str(error), self._origin(error.path), about=error.about
            ) from error

    def _origin(self, path: Path) -> Origin | None:
        if not self._read:
            return None
        _, best = max(enumerate(self._read), key=lambda each: (each[1].depth(path), each[0]))
        return best.origin(path)
