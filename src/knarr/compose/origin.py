"""Where in which file something was said: what turns a complaint into something to go and fix."""

from dataclasses import dataclass

from knarr.errors import InvalidArgument

Path = tuple[str, ...]  # the keys that lead to a value: ("services", "web", "ports", "0")


def dotted(path: Path) -> str:
    """A path as people write it: ``services.web.ports.0``."""
    return ".".join(path)


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """A line of a file; lines count from 1, 0 when only the file is known."""

    file: str
    line: int = 0

    def __str__(self) -> str:
        return f"{self.file}:{self.line}" if self.line else self.file


class ComposeFileError(InvalidArgument):
    """A compose file that cannot be used, with the file and the line that are to blame."""

    def __init__(self, complaint: str, origin: Origin | None = None, *, about: str = "") -> None:
        self.complaint = complaint
        self.origin = origin
        place = " ".join(word for word in (about, str(origin or "")) if word)
        super().__init__(f"{place}: {complaint}" if place else complaint)
