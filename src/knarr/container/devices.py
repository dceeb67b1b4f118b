"""Which devices a container sees, and which it may use.

The runtimes make null, zero, full, random, urandom, tty, ptmx and (with a terminal) console.
Source: Engine API, HostConfig Devices and DeviceCgroupRules; Linux admin guide, cgroup-v1 devices.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from knarr.errors import InvalidArgument
from knarr.spec.docker.container import DeviceMapping
from knarr.spec.oci.runtime import Device, DeviceRule

_RULE: Final = re.compile(r"([acb]) ([0-9]+|\*):([0-9]+|\*) ([rwm]{1,3})", re.ASCII)
_ACCESS: Final = re.compile(r"[rwm]{1,3}")

_EVERYTHING: Final = DeviceRule(allow=True, access="rwm")


def _character(major: int, minor: int | None) -> DeviceRule:
    return DeviceRule(allow=True, type="c", major=major, minor=minor, access="rwm")


# Written out whole: what a runtime would add by itself differs between them.
DEFAULT_RULES: Final = (
    DeviceRule(allow=False, access="rwm"),
    DeviceRule(allow=True, type="c", access="m"),  # making a node is no use of it
    DeviceRule(allow=True, type="b", access="m"),
    _character(1, 3),  # null
    _character(1, 5),  # zero
    _character(1, 7),  # full
    _character(1, 8),  # random
    _character(1, 9),  # urandom
    _character(5, 0),  # tty
    _character(5, 1),  # console
    _character(5, 2),  # ptmx
    _character(136, None),  # pts
)


@dataclass(frozen=True, slots=True, kw_only=True)
class HostDevice:
    """A device node of the host. ``type`` is c or b, ``mode`` the 12 permission bits."""

    path: str
    type: str
    major: int
    minor: int
    mode: int = 0o600
    uid: int = 0
    gid: int = 0

    def at(self, path: str) -> Device:
        """The same device as a node of the container at ``path``."""
        return Device(
            type=self.type,
            path=path,
            major=self.major,
            minor=self.minor,
            file_mode=self.mode,
            uid=self.uid,
            gid=self.gid,
        )


# What the caller found at each PathOnHost: one device, or all those in a directory.
FoundDevices = Mapping[str, Sequence[HostDevice]]


def rule(text: str) -> DeviceRule:
    """``c 10:* rwm`` as the runtime spec has it. Raises InvalidArgument in Docker's words."""
    if (match := _RULE.fullmatch(text)) is None:
        raise InvalidArgument(f"invalid device cgroup rule format: '{text}'")
    kind, major, minor, access = match.groups()
    return DeviceRule(
        allow=True,
        type=kind,
        major=None if major == "*" else int(major),
        minor=None if minor == "*" else int(minor),
        access=access,
    )


def check_devices(mappings: Iterable[DeviceMapping], rules: Iterable[str]) -> None:
    for mapping in mappings:
        if mapping.cgroup_permissions and not _ACCESS.fullmatch(mapping.cgroup_permissions):
            raise InvalidArgument(f"bad mode specified: {mapping.cgroup_permissions}")
        if not mapping.path_on_host.startswith("/"):
            raise InvalidArgument(f"{mapping.path_on_host} is not an absolute path")
    for text in rules:
        rule(text)


@dataclass(frozen=True, slots=True, kw_only=True)
class DevicePlan:
    nodes: tuple[Device, ...]
    rules: tuple[DeviceRule, ...]


def device_plan(
    mappings: Sequence[DeviceMapping], rules: Sequence[str], found: FoundDevices
) -> DevicePlan:
    """The nodes to make and the rules of the device cgroup, in the order they apply.

    found: for every PathOnHost; an empty sequence means that there is no device.
    """
    nodes: list[Device] = []
    allowed: list[DeviceRule] = []
    for mapping in mappings:
        for device in _found(mapping, found):
            nodes.append(device.at(_place(mapping, device)))
            allowed.append(
                DeviceRule(
                    allow=True,
                    type=device.type,
                    major=device.major,
                    minor=device.minor,
                    access=mapping.cgroup_permissions or "rwm",
                )
            )
    return DevicePlan(
        nodes=tuple(nodes), rules=(*DEFAULT_RULES, *allowed, *(rule(text) for text in rules))
    )


def privileged_device_plan(
    mappings: Sequence[DeviceMapping], found: FoundDevices, host: Sequence[HostDevice]
) -> DevicePlan:
    """Every device of the host at its own path, those of ``mappings`` at theirs too; no limit."""
    mapped = (
        device.at(_place(mapping, device))
        for mapping in mappings
        if mapping.path_in_container not in ("", mapping.path_on_host)
        for device in _found(mapping, found)
    )
    return DevicePlan(
        nodes=(*(device.at(device.path) for device in host), *mapped), rules=(_EVERYTHING,)
    )


def _found(mapping: DeviceMapping, found: FoundDevices) -> Sequence[HostDevice]:
    devices = found.get(mapping.path_on_host, ())
    if not devices:
        raise InvalidArgument(
            "error gathering device information while adding custom device"
            f' "{mapping.path_on_host}": no such file or directory'
        )
    return devices


def _place(mapping: DeviceMapping, device: HostDevice) -> str:
    """Where the device goes: a directory's devices keep their names below the new place."""
    inside = mapping.path_in_container or mapping.path_on_host
    if device.path.startswith(mapping.path_on_host + "/"):
        return inside + device.path.removeprefix(mapping.path_on_host)
    return inside
