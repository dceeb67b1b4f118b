"""What a build is asked for, and all that it will do, as values. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from knarr.build.graph import Vertex
from knarr.dockerfile.directives import CheckOptions
from knarr.dockerfile.model import Dockerfile, Statement
from knarr.dockerfile.platforms import host_platform
from knarr.dockerfile.stage import Stage
from knarr.spec.oci.image import ImageDocument, Platform


@dataclass(frozen=True, slots=True, kw_only=True)
class BaseRequest:
    """An image that a build needs to know about."""

    reference: str
    platform: Platform


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedContext:
    """What ``--build-context NAME=`` stands for: an image, or files.

    here: the image is this engine's, whatever a registry has under its name.
    """

    reference: str = ""
    here: bool = False
    vertex: Vertex | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildOptions:
    """What the client says besides the Dockerfile.

    explicit_platform: it was asked for, so that the result says so even on a base of another.
    """

    target: str = ""
    build_args: Mapping[str, str] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)
    platform: Platform = field(default_factory=host_platform)
    explicit_platform: bool = False
    build_platform: Platform = field(default_factory=host_platform)
    contexts: Mapping[str, NamedContext] = field(default_factory=dict)
    network: str = "default"
    all_stages: bool = False  # not only those that the target needs, as for the checks


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One instruction of a stage that the target needs."""

    number: int  # from 1, over all stages
    total: int
    stage: str
    statement: Statement
    before: Stage | None  # None for FROM
    after: Stage

    @property
    def vertex(self) -> Vertex | None:
        """What it has to have done; None for a change of the config alone."""
        if self.before is not None and self.before.node == self.after.node:
            return None
        return self.after.node

    @property
    def text(self) -> str:
        return self.statement.text


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """All that a build will do."""

    dockerfile: Dockerfile
    options: BuildOptions
    target: Stage
    bases: Mapping[int, ImageDocument]  # what each stage's history begins with, by its index
    base_reference: str  # of the image that the target stands on; empty for none
    global_args: Mapping[str, str]
    steps: tuple[Step, ...]
    unused_args: tuple[str, ...]  # given by the client, asked for by nobody
    epoch: int | None  # seconds since 1970 that SOURCE_DATE_EPOCH says
    proxies: Mapping[str, str]  # variables that steps see and no cache key does
    check: CheckOptions

    @property
    def vertex(self) -> Vertex:
        return self.target.node

    @property
    def base(self) -> ImageDocument:
        """What the target stands on."""
        return self.bases[self.target.index]
