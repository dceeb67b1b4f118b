"""What a client asks of ``POST /build``, as values."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Protocol, TypeVar

import msgspec

from knarr.build import Resources
from knarr.dockerfile.plan import BuildOptions, NamedContext
from knarr.dockerfile.platforms import host_platform, parse_platform
from knarr.errors import InvalidArgument
from knarr.image.annotations import Annotations
from knarr.spec.docker.auth import AuthConfig
from knarr.spec.docker.container import Ulimit
from knarr.spec.oci.image import Platform

T = TypeVar("T")
_HOST_NETWORKS: Final = {"": "default", "bridge": "default"}


@dataclass(frozen=True, slots=True, kw_only=True)
class FolderPlace:
    """A directory of the client's that the engine can see; both numbers say that it is the same."""

    path: str
    device: int
    inode: int


@dataclass(frozen=True, slots=True, kw_only=True)
class GivenDockerfile:
    """A Dockerfile that comes beside the context. ignore: the text of its ignore file, if any."""

    name: str
    text: str
    ignore: str | None = None


class Keeper(Protocol):
    """Has what a build is not given before it needs it."""

    async def secret(self, identifier: str) -> bytes | None:
        """None where there is none by that name."""
        ...

    async def agent(self, identifier: str) -> Path | None:
        """A socket that leads to an SSH agent, as long as the build goes on."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildRequest:
    """One build. Names and meanings as in the Engine API's ImageBuild, in Python's spelling.

    extras: the archive has ``.knarr-build/`` with secrets and named contexts.
    folder: the context is this directory, and there is no archive.
    contexts: named contexts that are no folders: ``docker-image://``, git and web addresses;
    ``engine-image://`` is one of this engine's images, which is never fetched anew.
    project: by what the last build of the same thing is known, for ``explain``.
    agents: sockets of SSH agents on this machine, by id.
    keep_failed: when a command fails, the state before it becomes an image.
    debug_step: the build ends before this step, and the state is an image; 0 for all of it.
    allow: ``network.host``, ``security.insecure``.
    cache_from: images whose config may tell of steps. cache_from_alone: only steps by which one of
    them came are taken from the cache, as the classic builder has it.
    cache_to: the name of an image to be made that tells of this build's steps; with cache_whole,
    of those of other stages, too.
    inline_cache: the result itself tells of them.
    trace: documents for knarr's own client instead of text for people.
    given: the Dockerfile, where it is not in the context. keeper: asked for secrets and agents.
    """

    dockerfile: str = "Dockerfile"
    tags: tuple[str, ...] = ()
    annotations: Annotations = field(default_factory=Annotations)
    remote: str = ""
    build_args: Mapping[str, str | None] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)
    target: str = ""
    platform: str = ""
    network: str = ""
    hosts: Mapping[str, str] = field(default_factory=dict)
    resources: Resources = field(default_factory=Resources)
    quiet: bool = False
    no_cache: bool = False
    no_cache_filter: tuple[str, ...] = ()
    cache_from: tuple[str, ...] = ()
    cache_from_alone: bool = False
    cache_to: str = ""
    cache_whole: bool = False
    inline_cache: bool = False
    pull: bool = False
    remove: bool = True
    squash: bool = False
    build_id: str = ""
    logins: Mapping[str, AuthConfig] = field(default_factory=dict, repr=False)
    extras: bool = False
    folder: FolderPlace | None = None
    contexts: Mapping[str, str] = field(default_factory=dict)
    agents: Mapping[str, str] = field(default_factory=dict)
    project: str = ""
    trace: bool = False
    keep_failed: bool = False
    debug_step: int = 0
    allow: tuple[str, ...] = ()
    timeout_s: float | None = None
    given: GivenDockerfile | None = None
    keeper: Keeper | None = None

    @property
    def platforms(self) -> tuple[Platform, ...]:
        """All that are asked for, each once. Raises InvalidArgument for one that is none."""
        named = (parse_platform(each) for each in self.platform.split(",") if each.strip())
        return tuple(dict.fromkeys(named))

    @property
    def agent_sockets(self) -> dict[str, Path]:
        return {name: Path(path) for name, path in self.agents.items()}

    @property
    def tells_of_steps(self) -> bool:
        """Whether the result is to carry its cache; the argument is BuildKit's way to say so."""
        return self.inline_cache or self.build_args.get("BUILDKIT_INLINE_CACHE") in {"1", "true"}

    @property
    def allowed(self) -> frozenset[str]:
        """What the client grants; whoever builds on the host's network has granted that."""
        host = ("network.host",) if self.network == "host" else ()
        return frozenset((*host, *self.allow))

    def options(self, contexts: Mapping[str, NamedContext]) -> BuildOptions:
        """For the language, and the first of the platforms.

        Raises InvalidArgument for a platform that is none.
        """
        platforms = self.platforms
        given = {name: value for name, value in self.build_args.items() if value is not None}
        return BuildOptions(
            target=self.target,
            build_args=given,
            labels=dict(sorted(self.labels.items())),  # clients of BuildKit send them in any order
            platform=platforms[0] if platforms else host_platform(),
            explicit_platform=bool(platforms),
            contexts=contexts,
            network=_HOST_NETWORKS.get(self.network, self.network),
        )


def read_map(name: str, text: str) -> dict[str, Any]:
    """A JSON object from the query. Raises InvalidArgument."""
    return _read(name, text, dict[str, Any], {})


def read_strings(name: str, text: str) -> tuple[str, ...]:
    """A JSON list of strings from the query."""
    return _read(name, text, tuple[str, ...], ())


def read_ulimits(text: str) -> tuple[tuple[str, int, int], ...]:
    limits: tuple[Ulimit, ...] = _read("ulimits", text, tuple[Ulimit, ...], ())
    return tuple((each.name, each.soft, each.hard) for each in limits)


def _read(name: str, text: str, kind: type[T], empty: T) -> T:
    if not text or text == "null":
        return empty
    try:
        return msgspec.json.decode(text, type=kind)
    except msgspec.MsgspecError as error:
        raise InvalidArgument(f"{name} is not valid JSON: {error}") from error


def read_hosts(texts: tuple[str, ...]) -> dict[str, str]:
    """``NAME:ADDRESS`` or ``NAME=ADDRESS``. Raises InvalidArgument."""
    hosts: dict[str, str] = {}
    for text in texts:
        separator = "=" if "=" in text else ":"
        name, _, address = text.partition(separator)
        if not name or not address:
            raise InvalidArgument(f'bad format for add-host: "{text}"')
        hosts[name] = address.strip("[]")
    return hosts
