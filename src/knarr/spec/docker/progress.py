"""The stream of progress that pull, push, build, load and import answer with.

Source: Engine API, CreateImageInfo, BuildInfo.
"""

import msgspec

from knarr.spec.document import Document


class ErrorDetail(Document):
    code: int = msgspec.field(name="code", default=0)
    message: str = msgspec.field(name="message", default="")


class ProgressDetail(Document):
    current: int = msgspec.field(name="current", default=0)
    total: int = msgspec.field(name="total", default=0)


class ImageID(Document):
    id: str = msgspec.field(name="ID", default="")
