"""How the service's image is built; a string is the context."""

from dataclasses import dataclass
from typing import Any

from knarr.compose.attribute import Attribute
from knarr.compose.attributes.ulimits import ULIMIT_MAP
from knarr.compose.file_reference import FILE_REFERENCE
from knarr.compose.shape import (
    Base,
    Boolean,
    BuildContextPath,
    Either,
    Fields,
    Form,
    Hosts,
    ListOf,
    Pairs,
    Place,
    Size,
    Text,
)
from knarr.compose.shape.collection import by_text
from knarr.compose.shape.path import located


@dataclass(frozen=True, slots=True, kw_only=True)
class _Contexts(Pairs):
    """Further contexts by name; relative ones are directories."""

    def read(self, value: Any, at: Place) -> Any:
        return Pairs.read(self, value, at.canonical())

    def locate(self, value: Any, base: Base) -> Any:
        place = BuildContextPath()
        return {name: place.locate(context, base) for name, context in value.items()}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Keys(Pairs):
    """Keys or agents of ssh by name; ``default`` alone is the agent of the environment."""

    def read(self, value: Any, at: Place) -> Any:
        keys = Pairs.read(self, value, at.canonical())
        stray = [name for name, path in keys.items() if path is None and name != "default"]
        if stray and isinstance(value, list):
            raise at.unreadable(f'invalid ssh key "{stray[0]}"')
        return keys

    def locate(self, value: Any, base: Base) -> Any:
        return {name: path and located(path, base) for name, path in value.items()}

    def write(self, value: Any, form: Form) -> Any:  # noqa: ARG002
        return [f"{name}: {path}" if path else name for name, path in sorted(value.items())]


BUILD_FIELDS = Fields(
    {
        "context": BuildContextPath(),
        "dockerfile": Text(),
        "dockerfile_inline": Text(),
        "entitlements": ListOf(Text()),
        "args": Pairs(bare=True),
        "provenance": Text(or_boolean=True),
        "sbom": Text(or_boolean=True),
        "ssh": _Keys(bare=True),
        "labels": Pairs(),
        "cache_from": ListOf(Text()),
        "cache_to": ListOf(Text()),
        "no_cache": Boolean(),
        "no_cache_filter": ListOf(Text(), lonely=True, stays_lonely=True),
        "additional_contexts": _Contexts(equals_needed=True),
        "pull": Boolean(),
        "extra_hosts": Hosts(),
        "isolation": Text(),
        "network": Text(),
        "target": Text(),
        "secrets": ListOf(FILE_REFERENCE),
        "shm_size": Size(fractions=False),
        "tags": ListOf(Text(), key=by_text),
        "ulimits": ULIMIT_MAP,
        "platforms": ListOf(Text()),
        "privileged": Boolean(),
    },
    defaults={"context": "."},
)

BUILD = Attribute(
    name="build",
    shape=Either(Text(), lambda context, _: {"context": context}, BUILD_FIELDS),
    source="Compose Build Specification",
)
