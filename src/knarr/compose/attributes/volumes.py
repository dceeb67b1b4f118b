"""Mounts: ``[SOURCE:]TARGET[:OPTIONS]``; a source that begins with . / ~ is a path of the host."""

from dataclasses import dataclass
from typing import Any, Final

from knarr.compose.attribute import Attribute, Scene
from knarr.compose.mounting import with_volume
from knarr.compose.shape import (
    Base,
    Boolean,
    Either,
    Fields,
    Integer,
    ListOf,
    Pairs,
    Place,
    Size,
    Text,
)
from knarr.compose.shape.path import clean, located
from knarr.spec.docker.container import ContainerCreate

_TYPES: Final = ("bind", "volume", "tmpfs", "cluster", "npipe", "image")
_PROPAGATIONS: Final = ("rprivate", "private", "rshared", "shared", "rslave", "slave")
_SELINUX: Final = ("z", "Z")


def parse(entry: str, at: Place) -> dict[str, Any]:
    """The long spelling of a short entry. Unknown options are let pass, as Compose does."""
    if not entry:
        raise at.unreadable("invalid empty volume spec")
    if len(entry) <= 2:
        return {"type": "volume", "target": entry}
    sections = _sections(entry)
    if "" in sections:
        raise at.unreadable(f"invalid spec: {entry}: empty section between colons")
    if len(sections) > 3:
        raise at.unreadable(f"invalid spec: {entry}: too many colons")
    source, target = ("", sections[0]) if len(sections) == 1 else sections[:2]
    volume: dict[str, Any] = {"source": source, "target": clean(target)}
    for option in sections[2].split(",") if len(sections) == 3 else ():
        _set_option(volume, option)
    return _typed({key: value for key, value in volume.items() if value != ""})


def _sections(entry: str) -> list[str]:
    """Split at colons; not inside ``${…}``, nor after the letter of a drive."""
    sections, current, depth = [], "", 0
    for index, character in enumerate(entry):
        if character == "$" and entry[index + 1 : index + 2] == "{":
            depth += 1
        elif character == "}" and depth:
            depth -= 1
        is_drive = len(current) == 1 and current.isalpha()
        if character == ":" and not depth and not is_drive:
            sections.append(current)
            current = ""
        else:
            current += character
    return [*sections, current]


def _set_option(volume: dict[str, Any], option: str) -> None:
    if option in ("ro", "rw"):
        volume["read_only"] = option == "ro"
    elif option == "nocopy":
        volume["volume"] = {"nocopy": True}
    elif option in _PROPAGATIONS:
        volume.setdefault("bind", {})["propagation"] = option
    elif option in _SELINUX:
        volume.setdefault("bind", {})["selinux"] = option


def _typed(volume: dict[str, Any]) -> dict[str, Any]:
    if _is_path(volume.get("source", "")):
        volume["bind"] = {**volume.get("bind", {}), "create_host_path": True}
        return {"type": "bind", **volume}
    return {"type": "volume", **volume, "volume": volume.get("volume", {})}


def _is_path(source: str) -> bool:
    is_drive = source[1:2] == ":" and source[:1].isalpha()
    return source.startswith((".", "/", "~", "\\\\")) or is_drive


def key(entry: Any) -> str:
    """Two entries for the same place in the container are one."""
    return str(entry.get("target") if isinstance(entry, dict) else entry)


def _settle(volume: dict[str, Any], at: Place) -> dict[str, Any]:
    if volume["type"] == "bind" and "source" not in volume:
        raise at.unreadable('invalid mount config for type "bind": field Source must not be empty')
    return {**volume, "target": clean(volume["target"]) if volume["target"] else ""}


@dataclass(frozen=True, slots=True)
class _Volume(Fields):
    """A mount; only a bind's source is a path."""

    def locate(self, value: Any, base: Base) -> Any:
        if value.get("type") != "bind" or "source" not in value:
            return value
        return {**value, "source": located(value["source"], base)}


def apply(volumes: Any, body: ContainerCreate, scene: Scene) -> ContainerCreate:
    for volume in volumes:
        body = with_volume(volume, body, scene)
    return body


VOLUMES = Attribute(
    name="volumes",
    shape=ListOf(
        Either(
            Text(),
            parse,
            _Volume(
                {
                    "type": Text(choices=_TYPES),
                    "source": Text(),
                    "target": Text(),
                    "read_only": Boolean(),
                    "consistency": Text(),
                    "bind": Fields(
                        {
                            "selinux": Text(choices=_SELINUX),
                            "propagation": Text(),
                            "create_host_path": Boolean(),
                            "recursive": Text(
                                choices=("enabled", "disabled", "writable", "readonly")
                            ),
                        }
                    ),
                    "volume": Fields({"labels": Pairs(), "nocopy": Boolean(), "subpath": Text()}),
                    "tmpfs": Fields(
                        {"size": Size(fractions=False), "mode": Integer(fractions=True)}
                    ),
                    "image": Fields({"subpath": Text()}),
                },
                required=("type", "target"),
                settle=_settle,
            ),
        ),
        key=key,
    ),
    apply=apply,
    source="Compose Specification, services, volumes",
)
