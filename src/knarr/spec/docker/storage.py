"""Where an object keeps its files.

Source: Engine API, DriverData, Storage.
"""

import msgspec

from knarr.spec.document import Document


class DriverData(Document):
    name: str = ""
    data: dict[str, str] = msgspec.field(default_factory=dict)


class RootFSStorageSnapshot(Document):
    name: str = ""


class RootFSStorage(Document):
    snapshot: RootFSStorageSnapshot | None = None


class Storage(Document):
    rootfs: RootFSStorage | None = msgspec.field(name="RootFS", default=None)
