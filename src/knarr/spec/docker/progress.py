"""The stream of progress that pull, push, build, load and import answer with.

Source: Engine API, CreateImageInfo, BuildInfo; docker/cli, jsonmessage.
"""

from typing import Any, Final

import msgspec

from knarr.spec.document import Document
from knarr.units import human_size_precise

_BAR_WIDTH: Final = 50


class ErrorDetail(Document, omit_defaults=True):
    code: int = msgspec.field(name="code", default=0)
    message: str = msgspec.field(name="message", default="")


class ProgressDetail(Document, omit_defaults=True):
    """How far along, in bytes unless ``units`` says otherwise; empty where nobody knows."""

    current: int = msgspec.field(name="current", default=0)
    total: int = msgspec.field(name="total", default=0)
    hide_counts: bool = msgspec.field(name="hidecounts", default=False)
    units: str = msgspec.field(name="units", default="")

    def bar(self) -> str:
        """``[====>     ]  12.3MB/45.6MB``: the text that engines before 29 send ready-made."""
        if self.current <= 0 and self.total <= 0:
            return ""
        current, total = human_size_precise(self.current), human_size_precise(self.total)
        if self.total <= 0:
            return f"{current:>8}"
        filled = min(int(self.current / self.total * 100) // 2, _BAR_WIDTH)
        box = f"[{'=' * filled}>{' ' * (_BAR_WIDTH - filled)}] "
        return box + (f"{current:>8}" if self.current > self.total else f"{current:>8}/{total}")


class Progress(Document, omit_defaults=True):
    """One message of the stream: a text, the state of one ``id``, an extra object, or an error."""

    stream: str = msgspec.field(name="stream", default="")
    status: str = msgspec.field(name="status", default="")
    progress_detail: ProgressDetail | None = msgspec.field(name="progressDetail", default=None)
    progress: str = msgspec.field(name="progress", default="")
    id: str = msgspec.field(name="id", default="")
    error_detail: ErrorDetail | None = msgspec.field(name="errorDetail", default=None)
    error: str = msgspec.field(name="error", default="")
    aux: Any = msgspec.field(name="aux", default=None)

    @classmethod
    def about(cls, identifier: str, status: str, current: int = 0, total: int = 0) -> "Progress":
        """What happens to one layer or tag, and how far that is where it is known."""
        detail = ProgressDetail(current=current, total=total)
        return cls(id=identifier, status=status, progress_detail=detail, progress=detail.bar())

    @classmethod
    def failed(cls, message: str) -> "Progress":
        """The last message of a stream whose status line is long gone."""
        return cls(error_detail=ErrorDetail(message=message), error=message)


class ImageID(Document):
    id: str = msgspec.field(name="ID", default="")


class PushResult(Document):
    """``aux`` of a push: what its tag now stands for."""

    tag: str = ""
    digest: str = ""
    size: int = 0
