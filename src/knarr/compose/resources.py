"""What a project declares beside its services: networks, volumes, secrets, configs, models."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from knarr.compose.shape import (
    Boolean,
    Fields,
    FilePath,
    Form,
    Integer,
    ListOf,
    MapOf,
    Nullable,
    Options,
    Pairs,
    Place,
    Shape,
    Text,
)
from knarr.compose.shape.base import Base
from knarr.compose.shape.collection import EXTENSION, NAME_PATTERN
from knarr.compose.shape.path import located

_EXTERNAL_NEEDS: Final = ("name", "external")


@dataclass(frozen=True, slots=True)
class _External(Shape):
    """True for what exists already; the old spelling is a mapping with its name."""

    def accepts(self, value: object) -> bool:
        return isinstance(value, bool | str | dict)

    def check(self, value: Any, at: Place) -> None:
        if not self.accepts(value):
            raise at.misfit("must be a boolean, mapping or string")
        if isinstance(value, dict):
            Fields({"name": Text()}).check(value, at)

    def read(self, value: Any, at: Place) -> Any:
        return value if isinstance(value, dict) else Boolean().read(value, at)


def _adopt_name(resource: dict[str, Any], at: Place) -> dict[str, Any]:
    """``external: {name: x}`` is ``external: true`` and ``name: x``."""
    external = resource.get("external")
    if not isinstance(external, dict):
        return resource
    named = external.get("name", resource.get("name"))
    if resource.get("name", named) != named:
        raise at.unreadable("name and external.name conflict; only use name")
    return {**resource, "external": True, **({"name": named} if named else {})}


def _settle_volume(volume: dict[str, Any], at: Place) -> dict[str, Any]:
    volume = _adopt_name(volume, at)
    if volume.get("external") is True:
        for key in volume:
            if key not in _EXTERNAL_NEEDS and not key.startswith(EXTENSION):
                raise at.unreadable(f'conflicting parameters "external" and "{key}" specified')
    return volume


def _settle_content(*sources: str) -> Callable[[dict[str, Any], Place], dict[str, Any]]:
    """Exactly one of the sources says what is in the file."""

    def settle(resource: dict[str, Any], at: Place) -> dict[str, Any]:
        resource = _adopt_name(resource, at)
        given = [source for source in sources if source in resource]
        if len(given) > 1:
            raise at.unreadable(f"{'|'.join(sources)} attributes are mutually exclusive")
        if not given and not {"driver", "external"} & resource.keys():
            raise at.unreadable(f"one of {'|'.join(sources)} must be set")
        return resource

    return settle


def _subnet_pools(base: Any, other: Any) -> Any:
    """Pools of several files: one for each subnet, later files' settings over earlier ones'."""
    if not base or not other:
        return other or base
    pools = {pool.get("subnet"): pool for pool in base}
    for pool in other:
        subnet = pool.get("subnet")
        pools[subnet] = {**pools.get(subnet, {}), **pool}
    return list(pools.values())


@dataclass(frozen=True, slots=True)
class _Pools(ListOf):
    def merge(self, base: Any, other: Any) -> Any:
        return _subnet_pools(base, other)


_POOL: Final = Fields(
    {
        "subnet": Text(),
        "gateway": Text(),
        "ip_range": Text(),
        "aux_addresses": Options(),
    }
)
NETWORK: Final = Fields(
    {
        "name": Text(),
        "driver": Text(),
        "driver_opts": Options(),
        "ipam": Fields(
            {"driver": Text(), "config": _Pools(_POOL), "options": Options()},
            json_default={},
            keeps_empty=False,
        ),
        "external": _External(),
        "internal": Boolean(),
        "attachable": Boolean(),
        "labels": Pairs(),
        "enable_ipv4": Boolean(tristate=True),
        "enable_ipv6": Boolean(tristate=True),
    },
    settle=_adopt_name,
)


@dataclass(frozen=True, slots=True)
class _VolumeDeclaration(Fields):
    """A volume; the device of a local bind is a path of the host."""

    def locate(self, value: Any, base: Base) -> Any:
        options = value.get("driver_opts", {})
        is_bind = value.get("driver") == "local" and options.get("o") == "bind"
        if not is_bind or "device" not in options:
            return value
        return {**value, "driver_opts": {**options, "device": located(options["device"], base)}}


VOLUME: Final = _VolumeDeclaration(
    {
        "name": Text(),
        "driver": Text(),
        "driver_opts": Options(),
        "external": _External(),
        "labels": Pairs(),
    },
    settle=_settle_volume,
)
_FILE_OBJECT: Final[Mapping[str, Shape]] = {
    "name": Text(),
    "file": FilePath(),
    "environment": Text(),
    "content": Text(),
    "external": _External(),
    "labels": Pairs(),
    "driver": Text(),
    "driver_opts": Options(),
    "template_driver": Text(),
}


def _without(*names: str) -> dict[str, Shape]:
    return {name: shape for name, shape in _FILE_OBJECT.items() if name not in names}


SECRET: Final = Fields(_without("content"), settle=_settle_content("file", "environment"))


@dataclass(frozen=True, slots=True)
class _Config(Fields):
    """A config; what came from the environment is not shown."""

    def write(self, value: Any, form: Form) -> Any:
        shown = {key: entry for key, entry in value.items() if key != "content"}
        return Fields.write(self, shown if "environment" in value else value, form)


CONFIG: Final = _Config(
    _without("driver", "driver_opts"), settle=_settle_content("file", "environment", "content")
)
MODEL: Final = Fields(
    {
        "name": Text(),
        "model": Text(),
        "context_size": Integer(digits=False),
        "runtime_flags": ListOf(Text()),
    },
    required=("model",),
)


def named(resource: Shape, *, closed: bool = True, nullable: bool = False) -> MapOf:
    """Resources by the names that the file gives them."""
    return MapOf(
        Nullable(resource, kept=True) if nullable else resource,
        pattern=NAME_PATTERN,
        closed=closed,
    )
