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


class BuildTrace(Document, omit_defaults=True):
    """What happened to one step, for knarr's own client; ``aux`` of ``knarr.build.trace``.

    state: planned, plain (config alone), started, output, cached, done, failed.
    line, last_line: of the Dockerfile, where a step failed. data: base64 of output.
    why: what changed, where a step has to be done again.
    """

    number: int = 0
    total: int = 0
    stage: str = ""
    state: str = ""
    text: str = ""
    why: str = ""
    stream: int = 0
    data: str = ""
    line: int = 0
    last_line: int = 0
    time_nano: int = 0


class BuildFolder(Document, omit_defaults=True):
    """A directory that client and engine both see; the numbers say that it is the same one."""

    path: str = ""
    device: int = 0
    inode: int = 0


class BuildExtension(Document, omit_defaults=True):
    """What knarr's own client asks for besides ImageBuild: the query's ``knarr``, as JSON.

    extras: the archive has secrets and named contexts under ``.knarr-build``.
    contexts: named contexts that are no folders, ``engine-image://`` for images that are here.
    agents: sockets of SSH agents, by id.
    cache_to: name of an image to be made of the cache; cache_whole: with the steps of all stages.
    inline_cache: the result carries its cache.
    call: answer with what the Dockerfile says (outline, targets), and build nothing.
    debug_step: build until this step only, and answer with the state before it, as an image.
    annotations: ``[KIND[[PLATFORM]]:]KEY=VALUE`` of what goes to registries and archives.
    trace: answer with BuildTrace documents. check: answer with findings, and build nothing.
    """

    extras: bool = False
    folder: BuildFolder | None = None
    contexts: dict[str, str] = msgspec.field(default_factory=dict)
    agents: dict[str, str] = msgspec.field(default_factory=dict)
    no_cache_filter: tuple[str, ...] = ()
    allow: tuple[str, ...] = ()
    annotations: tuple[str, ...] = ()
    project: str = ""
    trace: bool = False
    check: bool = False
    call: str = ""
    debug_step: int = 0
    keep_failed: bool = False
    timeout_seconds: float = 0
    cache_to: str = ""
    cache_whole: bool = False
    inline_cache: bool = False


class BuildFinding(Document, omit_defaults=True):
    """One thing that a build check found. ``text`` is all of it, for people."""

    rule: str = ""
    description: str = ""
    url: str = msgspec.field(name="URL", default="")
    detail: str = ""
    file: str = ""
    line: int = 0
    last_line: int = 0
    text: str = ""
