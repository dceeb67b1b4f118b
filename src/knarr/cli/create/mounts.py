"""How mounts are written: ``--mount type=bind,…`` and ``-v SOURCE:TARGET:OPTIONS``.

Source: Docker CLI reference, "container run", --mount and --volume; ``idmap`` is knarr's own.
"""

from __future__ import annotations

import os

from knarr.cli.create.fields import csv_fields
from knarr.client.lean import Any
from knarr.errors import InvalidArgument
from knarr.units import size_bytes

_TRUE = ("1", "t", "T", "true", "TRUE", "True")
_FALSE = ("0", "f", "F", "false", "FALSE", "False")
_SWITCHES = ("readonly", "ro", "volume-nocopy", "bind-nonrecursive", "bind-create-src", "idmap")
_NAMES = {
    "bind-nonrecursive": "NonRecursive",
    "bind-create-src": "CreateMountpoint",
    "volume-nocopy": "NoCopy",
}
_RECURSIVE = {
    "enabled": {},
    "disabled": {"NonRecursive": True},
    "writable": {"ReadOnlyNonRecursive": True},
    "readonly": {"ReadOnlyForceRecursive": True},
}


def mount(text: str) -> dict[str, Any]:
    """One mount of ``--mount``. Raises InvalidArgument in Docker's words."""
    mount: dict[str, Any] = {"Type": "volume"}
    options: dict[str, dict[str, Any]] = {"bind": {}, "volume": {}, "image": {}, "tmpfs": {}}
    for field in csv_fields(text):
        key, equals, value = field.partition("=")
        key = key.lower()
        if not equals:
            if key not in _SWITCHES:
                raise InvalidArgument(f"invalid field '{field}' must be a key=value pair")
            value = "true"
        _set(mount, options, key, value, field)
    _check(mount, options)
    if exchanged := options.pop("idmap", None):
        options[mount["Type"]] |= exchanged
    for kind, name in (("bind", "BindOptions"), ("volume", "VolumeOptions"),
                       ("image", "ImageOptions"), ("tmpfs", "TmpfsOptions")):  # fmt: skip
        if options[kind]:
            mount[name] = options[kind]
    return mount


def _set(
    mount: dict[str, Any], options: dict[str, dict[str, Any]], key: str, value: str, field: str
) -> None:
    match key:
        case "type":
            mount["Type"] = value.lower()
        case "source" | "src":
            mount["Source"] = _absolute(value)
        case "target" | "dst" | "destination":
            mount["Target"] = value
        case "readonly" | "ro":
            mount["ReadOnly"] = _switch(key, value)
        case "consistency":
            mount["Consistency"] = value.lower()
        case "idmap":
            options["idmap"] = {"IDMap": _switch(key, value)}
        case _:
            _set_option(options, key, value, field)


def _set_option(options: dict[str, dict[str, Any]], key: str, value: str, field: str) -> None:
    owner, _, _ = key.partition("-")
    mine = options.get(owner, {})
    match key:
        case "bind-propagation":
            mine["Propagation"] = value.lower()
        case "bind-recursive":
            mine.update(_recursive(value))
        case "bind-nonrecursive" | "bind-create-src" | "volume-nocopy":
            mine[_NAMES[key]] = _switch(key, value)
        case "volume-subpath" | "image-subpath":
            mine["Subpath"] = value
        case "volume-label":
            _add(mine.setdefault("Labels", {}), value)
        case "volume-driver":
            mine.setdefault("DriverConfig", {})["Name"] = value
        case "volume-opt":
            _add(mine.setdefault("DriverConfig", {}).setdefault("Options", {}), value)
        case "tmpfs-size":
            mine["SizeBytes"] = _size(value)
        case "tmpfs-mode":
            mine["Mode"] = _mode(value)
        case _:
            raise InvalidArgument(f"unexpected key '{key}' in '{field}'")


def _add(pairs: dict[str, str], text: str) -> None:
    name, _, value = text.partition("=")
    pairs[name] = value


def _absolute(source: str) -> str:
    """A source that begins with a dot is a path from here; all others are the engine's to read."""
    return os.path.abspath(source) if source.startswith(".") else source


def _switch(key: str, value: str) -> bool:
    if value in _TRUE:
        return True
    if value in _FALSE:
        return False
    raise InvalidArgument(f"invalid value for {key}: {value}")


def _recursive(value: str) -> dict[str, bool]:
    if value in _RECURSIVE:
        return _RECURSIVE[value]
    raise InvalidArgument(
        f'invalid value for bind-recursive: {value} (must be "enabled", "disabled", "writable", '
        'or "readonly")'
    )


def _size(value: str) -> int:
    try:
        return size_bytes(value)
    except InvalidArgument:
        raise InvalidArgument(f"invalid value for tmpfs-size: {value}") from None


def _mode(value: str) -> int:
    try:
        return int(value, 8)
    except ValueError:
        raise InvalidArgument(f"invalid value for tmpfs-mode: {value}") from None


def _check(mount: dict[str, Any], options: dict[str, dict[str, Any]]) -> None:
    kind = mount["Type"]
    if not kind:
        raise InvalidArgument("type is required")
    if not mount.get("Target"):
        raise InvalidArgument("target is required")
    for owner in ("bind", "volume", "image", "tmpfs"):
        if options[owner] and kind != owner:
            raise InvalidArgument(f"cannot mix '{owner}-*' options with mount type '{kind}'")
    if "idmap" in options and kind not in ("bind", "volume"):
        raise InvalidArgument(f"idmap is for mounts of type bind and volume, not '{kind}'")
    bind = options["bind"]
    if bind.get("ReadOnlyNonRecursive") and not mount.get("ReadOnly"):
        raise InvalidArgument(
            "option 'bind-recursive=writable' requires 'readonly' to be specified in conjunction"
        )
    if bind.get("ReadOnlyForceRecursive"):
        if not mount.get("ReadOnly"):
            raise InvalidArgument(
                "option 'bind-recursive=readonly' requires 'readonly' to be specified in "
                "conjunction"
            )
        if bind.get("Propagation") != "rprivate":
            raise InvalidArgument(
                "option 'bind-recursive=readonly' requires 'bind-propagation=rprivate' to be "
                "specified in conjunction"
            )


def volumes(specs: tuple[str, ...]) -> tuple[list[str], dict[str, Any]]:
    """The two halves of ``-v``: binds as the engine reads them, and anonymous volumes."""
    binds: list[str] = []
    anonymous: dict[str, Any] = {}
    for spec in dict.fromkeys(specs):
        words = spec.split(":")
        if not spec:
            raise InvalidArgument("invalid empty volume spec")
        if not all(words):
            raise InvalidArgument(f"invalid spec: {spec}: empty section between colons")
        if len(words) == 1:
            anonymous[spec] = {}
        else:
            binds.append(":".join([_absolute(words[0]), *words[1:]]))
    return binds, anonymous
