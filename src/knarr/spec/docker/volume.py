"""Volumes as the Engine API shows them.

Source: Engine API, VolumeCreate, VolumeInspect.
"""

from typing import Any

import msgspec

from knarr.spec.document import Document


class VolumeUsage(Document):
    size: int = 0
    ref_count: int = 0


class Volume(Document):
    name: str = ""
    driver: str = ""
    mountpoint: str = ""
    created_at: str = ""
    status: dict[str, dict[str, Any]] = msgspec.field(default_factory=dict)
    labels: dict[str, str] = msgspec.field(default_factory=dict)
    scope: str = ""
    options: dict[str, str] = msgspec.field(default_factory=dict)
    usage_data: VolumeUsage | None = None


class VolumeCreate(Document):
    name: str = ""
    driver: str = ""
    driver_opts: dict[str, str] = msgspec.field(default_factory=dict)
    labels: dict[str, str] = msgspec.field(default_factory=dict)


class VolumeList(Document):
    volumes: tuple[Volume, ...] = ()
    warnings: tuple[str, ...] = ()


class VolumesPruned(Document):
    volumes_deleted: tuple[str, ...] = ()
    space_reclaimed: int = 0
