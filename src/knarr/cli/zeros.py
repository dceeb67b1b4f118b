"""What Go prints for a part of ``inspect`` that is not there or null: a template sees a struct's
nil slice as ``[]``, its nil map as ``map[]``, its nil pointer as ``<nil>``, which is false.

Without them ``{{if .State.Health}}`` and ``{{len .HostConfig.Binds}}`` would be errors.
Source: Engine API, ContainerInspect, ImageInspect; text/template.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from knarr.client.lean import Any, Final
from knarr.template import OpenMap
from knarr.template_functions import Struct


class Nil:
    """A pointer to nothing."""

    def __bool__(self) -> bool:
        return False

    def __str__(self) -> str:
        return "<nil>"

    def as_json(self) -> str:
        return "null"


class NilList(list[Any]):
    """A slice that was never made."""

    def as_json(self) -> str:
        return "null"


class NilMap(OpenMap):
    """A map that was never made."""

    zero = ""

    def as_json(self) -> str:
        return "null"


class Told(Struct):
    """A struct with its zero values; as JSON it is what the engine told."""

    raw: Any = None

    def as_json(self) -> str:
        return _json(self.raw)


class ToldMap(OpenMap):
    """A map of such structs, or of texts."""

    raw: Any = None

    @property
    def zero(self) -> Any:
        """What ``index`` finds where there is nothing; None is what a template calls no value."""
        return "" if all(isinstance(each, str) for each in self.values()) else None

    def as_json(self) -> str:
        return _json(self.raw)


def _json(value: Any) -> str:
    import json

    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


_Zero = Callable[[], Any]
_HOST: Final[Mapping[str, _Zero]] = {
    **dict.fromkeys(
        ("Binds", "VolumesFrom", "Mounts", "CapAdd", "CapDrop", "Dns", "DnsOptions", "DnsSearch",
         "ExtraHosts", "GroupAdd", "Links", "SecurityOpt", "MaskedPaths", "ReadonlyPaths",
         "BlkioWeightDevice", "BlkioDeviceReadBps", "BlkioDeviceWriteBps", "BlkioDeviceReadIOps",
         "BlkioDeviceWriteIOps", "Devices", "DeviceCgroupRules", "DeviceRequests", "Ulimits"),
        NilList,
    ),
    **dict.fromkeys(("PortBindings", "Annotations", "StorageOpt", "Tmpfs", "Sysctls"), NilMap),
    **dict.fromkeys(("MemorySwappiness", "OomKillDisable", "Init", "PidsLimit"), Nil),
}  # fmt: skip
_CONFIG: Final[Mapping[str, _Zero]] = {
    **dict.fromkeys(("Env", "Cmd", "Entrypoint", "OnBuild", "Shell"), NilList),
    **dict.fromkeys(("ExposedPorts", "Volumes", "Labels"), NilMap),
    **dict.fromkeys(("Healthcheck", "StopTimeout"), Nil),
    **dict.fromkeys(("ArgsEscaped", "NetworkDisabled"), bool),
    **dict.fromkeys(("StopSignal", "User", "WorkingDir"), str),
}
_ENDPOINT: Final[Mapping[str, _Zero]] = {
    **dict.fromkeys(("Links", "Aliases", "DNSNames"), NilList),
    "DriverOpts": NilMap,
    "IPAMConfig": Nil,
}
_CONTAINER: Final[Mapping[str, _Zero]] = {
    "ExecIDs": NilList,
    **dict.fromkeys(("SizeRw", "SizeRootFs", "ImageManifestDescriptor"), Nil),
}
_BY_KEY: Final = {"HostConfig": _HOST, "Config": _CONFIG, "State": {"Health": Nil}}


def zeros_of(struct: Mapping[str, Any], key: str, parent: str) -> Mapping[str, _Zero]:
    """What makes the zero values of a struct, by where it stands; of others nothing is known."""
    if parent == "Networks":
        return _ENDPOINT
    if not key:
        return _CONTAINER if "HostConfig" in struct else {}
    return _BY_KEY.get(key, {})
