"""The stream of progress that pull, push, build, load and import answer with.

Source: Engine API, CreateImageInfo, BuildInfo; docker/cli, jsonmessage.
"""

from typing import Any

import msgspec

from knarr.spec.document import Document


class ErrorDetail(Document, omit_defaults=True):
    code: int = msgspec.field(name="code", default=0)
    message: str = msgspec.field(name="message", default="")


class ProgressDetail(Document, omit_defaults=True):
    """How far along, in bytes unless ``units`` says otherwise; empty where nobody knows."""

    current: int = msgspec.field(name="current", default=0)
    total: int = msgspec.field(name="total", default=0)
    hide_counts: bool = msgspec.field(name="hidecounts", default=False)
    units: str = msgspec.field(name="units", default="")


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
    def failed(cls, message: str) -> "Progress":
        """The last message of a stream whose status line is long gone."""
        return cls(error_detail=ErrorDetail(message=message), error=message)


class ImageID(Document):
    id: str = msgspec.field(name="ID", default="")
