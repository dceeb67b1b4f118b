"""Limits and devices: how ``--cpus``, ``--ulimit``, ``--device``, ``--gpus`` and such are written.

Each function takes the flag's text and raises InvalidArgument in Docker's words.
"""

from __future__ import annotations

import re
from decimal import Decimal, InvalidOperation

from knarr.cli.command import integer
from knarr.cli.create.fields import csv_fields
from knarr.client.lean import Any, Final
from knarr.errors import InvalidArgument
from knarr.units import size_bytes

ULIMITS: Final = (
    "core", "cpu", "data", "fsize", "locks", "memlock", "msgqueue", "nice", "nofile", "nproc",
    "rss", "rtprio", "rttime", "sigpending", "stack",
)  # fmt: skip
_SYSCTLS: Final = (
    "kernel.msgmax", "kernel.msgmnb", "kernel.msgmni", "kernel.sem", "kernel.shmall",
    "kernel.shmmax", "kernel.shmmni", "kernel.shm_rmid_forced",
)  # fmt: skip
_SYSCTL_FAMILIES: Final = ("net.", "fs.mqueue.")
_RULE: Final = re.compile(r"[acb] ([0-9]+|\*):([0-9]+|\*) [rwm]{1,3}")
_NANO: Final = Decimal(10) ** 9
_UNLIMITED: Final = -1


def nano_cpus(text: str) -> int:
    """Billionths of a CPU: ``1.5`` is 1_500_000_000. Fractions (``3/2``) are read as well."""
    numerator, slash, denominator = text.partition("/")
    try:
        value = Decimal(numerator) / Decimal(denominator) if slash else Decimal(text)
        count = value * _NANO
        whole = int(count)
    except (InvalidOperation, ZeroDivisionError, ValueError, OverflowError):
        raise InvalidArgument(f"failed to parse {text} as a rational number") from None
    if count != whole:
        raise InvalidArgument("value is too precise")
    return whole


def ulimit(text: str) -> dict[str, Any]:
    """``nofile=1024:2048``; one number stands for both, -1 for no limit."""
    name, equals, limits = text.partition("=")
    if not equals:
        raise InvalidArgument(f"invalid ulimit argument: {text}")
    if name not in ULIMITS:
        raise InvalidArgument(f"invalid ulimit type: {name}")
    words = limits.split(":")
    if len(words) > 2:
        raise InvalidArgument(
            f"too many limit value arguments - {limits}, can only have up to two, `soft[:hard]`"
        )
    soft = integer(words[0])
    hard = integer(words[-1])
    if hard != _UNLIMITED and soft == _UNLIMITED:
        raise InvalidArgument(
            "ulimit soft limit must be less than or equal to hard limit: "
            f"soft: -1 (unlimited), hard: {hard}"
        )
    if hard != _UNLIMITED and soft > hard:
        raise InvalidArgument(
            f"ulimit soft limit must be less than or equal to hard limit: {soft} > {hard}"
        )
    return {"Name": name, "Soft": soft, "Hard": hard}


def sysctl(text: str) -> tuple[str, str]:
    """``net.core.somaxconn=1024``; only parameters that a namespace has of its own."""
    name, equals, value = text.partition("=")
    allowed = name in _SYSCTLS or name.startswith(_SYSCTL_FAMILIES)
    if not equals or not allowed:
        raise InvalidArgument(f"sysctl '{text}' is not allowed")
    return name, value


def cgroup_rule(text: str) -> str:
    """``c 1:3 rwm``"""
    if not _RULE.fullmatch(text):
        raise InvalidArgument(f"invalid device cgroup format '{text}'")
    return text


def _device_value(text: str) -> tuple[str, str]:
    path, colon, value = text.rpartition(":")
    if not colon or not value:
        raise InvalidArgument(f"bad format: {text}")
    if not path.startswith("/dev/"):
        raise InvalidArgument(f"bad format for device path: {text}")
    return path, value


def weight_device(text: str) -> dict[str, Any]:
    """``/dev/sda:300``: 10 to 1000, or 0."""
    path, value = _device_value(text)
    weight = int(value) if value.isdecimal() else -1
    if weight != 0 and not 10 <= weight <= 1000:
        raise InvalidArgument(f"invalid weight for device: {text}")
    return {"Path": path, "Weight": weight}


def rate_bytes(text: str) -> dict[str, Any]:
    """``/dev/sda:1mb``, a second."""
    path, value = _device_value(text)
    try:
        rate = size_bytes(value)
    except InvalidArgument:
        rate = -1
    if rate < 0:
        raise InvalidArgument(
            f"invalid rate for device: {text}. The correct format is "
            "<device-path>:<number>[<unit>]. Number must be a positive integer. "
            "Unit is optional and can be kb, mb, or gb"
        )
    return {"Path": path, "Rate": rate}


def rate_operations(text: str) -> dict[str, Any]:
    """``/dev/sda:1000``, a second."""
    path, value = _device_value(text)
    if not value.isdecimal():
        raise InvalidArgument(
            f"invalid rate for device: {text}. The correct format is <device-path>:<number>. "
            "Number must be a positive integer"
        )
    return {"Path": path, "Rate": int(value)}


def gpu_request(text: str) -> dict[str, Any]:
    """``all``, ``2``, ``device=0``, ``"device=0,1",capabilities=utility``."""
    request: dict[str, Any] = {"Driver": "", "Count": None, "DeviceIDs": None, "Options": {}}
    capabilities: list[str] = []
    seen: set[str] = set()
    for field in csv_fields(text):
        key, equals, value = field.partition("=")
        if key in seen:
            raise InvalidArgument(f"gpu request key '{key}' can be specified only once")
        if not equals:
            request["Count"] = _gpu_count(field)
            continue
        seen.add(key)
        match key:
            case "driver":
                request["Driver"] = value
            case "count":
                request["Count"] = _gpu_count(value)
            case "device":
                request["DeviceIDs"] = value.split(",")
            case "capabilities":
                capabilities = value.split(",")
            case "options":
                pairs = (word.partition("=") for word in value.split(","))
                request["Options"] = {name: setting for name, _, setting in pairs}
            case _:
                raise InvalidArgument(f"unexpected key '{key}' in '{field}'")
    if request["Count"] is None:
        request["Count"] = 0 if request["DeviceIDs"] else 1
    return {**request, "Capabilities": [[*capabilities, "gpu"]]}


def _gpu_count(text: str) -> int:
    if text == "all":
        return -1
    try:
        return int(text)
    except ValueError:
        raise InvalidArgument(
            f'invalid count ({text}): value must be either "all" or an integer: invalid syntax'
        ) from None


def device_mapping(text: str) -> dict[str, Any]:
    """``/dev/x[:/dev/y[:rwm]]``"""
    words = text.split(":")
    if len(words) > 3:
        raise InvalidArgument(f"bad format for path: {text}")
    host, inside, permissions = words[0], words[0], "rwm"
    if len(words) == 3:
        inside, permissions = words[1], words[2]
    elif len(words) == 2:
        if _is_mode(words[1]):
            permissions = words[1]
        else:
            inside = words[1]
    if not inside.startswith("/"):
        raise InvalidArgument(f"{inside} is not an absolute path")
    if not _is_mode(permissions):
        raise InvalidArgument(f"bad mode specified: {permissions}")
    return {"PathOnHost": host, "PathInContainer": inside, "CgroupPermissions": permissions}


def _is_mode(text: str) -> bool:
    return bool(text) and len(set(text)) == len(text) and set(text) <= set("rwm")


def is_cdi(text: str) -> bool:
    """Whether a device is named in the Container Device Interface: ``vendor.com/class=name``."""
    kind, equals, name = text.partition("=")
    vendor, slash, class_name = kind.partition("/")
    return bool(equals and slash and vendor and class_name and name and not text.startswith("/"))
