"""Volumes as the Engine API shows them.

Source: Engine API, VolumeCreate, VolumeInspect.
"""

from typing import Any

import msgspec

from knarr.spec.document import Document


class VolumeUsage(Document):
    """``size`` in bytes, -1 where it is not known; ``ref_count`` of containers."""

    size: int = 0
    ref_count: int = 0


class Volume(Document):
    """A volume. Labels and options are null where nobody gave any; ``status`` and ``usage_data``
    are there only where there is something to say.
    """

    created_at: str = ""
    driver: str = ""
    labels: dict[str, str] | None = None
    mountpoint: str = ""
    name: str = ""
    options: dict[str, str] | None = None
    scope: str = ""
    status: dict[str, dict[str, Any]] | msgspec.UnsetType = msgspec.UNSET
    usage_data: VolumeUsage | msgspec.UnsetType = msgspec.UNSET


class VolumeCreate(Document):
    name: str = ""
    driver: str = ""
    driver_opts: dict[str, str] = msgspec.field(default_factory=dict)
    labels: dict[str, str] = msgspec.field(default_factory=dict)
    cluster_volume_spec: dict[str, Any] | None = None


class VolumeList(Document):
    volumes: tuple[Volume, ...] = ()
    warnings: tuple[str, ...] | None = None


class VolumesPruned(Document):
    volumes_deleted: tuple[str, ...] = ()
    space_reclaimed: int = 0
