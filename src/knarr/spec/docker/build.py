"""The classic builder and its cache.

Source: Engine API, ImageBuild, BuildPrune.
"""

import msgspec

from knarr.spec.document import Document


class BuildCache(Document):
    id: str = msgspec.field(name="ID", default="")
    parents: tuple[str, ...] | None = None
    type: str = ""
    description: str = ""
    in_use: bool = False
    shared: bool = False
    size: int = 0
    created_at: str = ""
    last_used_at: str | None = None
    usage_count: int = 0


class BuildCachePruned(Document):
    caches_deleted: tuple[str, ...] = ()
    space_reclaimed: int = 0
