"""Documents as Docker's own JSON has them: what it leaves out, what it writes as null, what older
versions of the API said besides.

Documents hold values; these steps, small and pure, know only how Go's encoder would print them.
"""

from typing import Any, Final

import msgspec

from knarr.api.versions import ApiVersion
from knarr.spec.docker.container import ContainerInspect, ContainerSummary
from knarr.spec.docker.image import ImageInspect

Json = dict[str, Any]

# Left out when empty.
_OMITTED: Final = {
    "": ("Storage", "ImageManifestDescriptor"),
    "State": ("Health",),
    "Config": (
        "Healthcheck", "ExposedPorts", "ArgsEscaped", "StopSignal", "Shell", "NetworkDisabled",
        "OnBuild",
    ),
    "HostConfig": ("Annotations", "Mounts", "StorageOpt", "Tmpfs", "Sysctls"),
}  # fmt: skip
# Left out when nobody gave them; zero and false are values.
_UNSET: Final = {
    "": ("SizeRw", "SizeRootFs"), "Config": ("StopTimeout",), "HostConfig": ("Init",),
}  # fmt: skip
# Null when empty.
_NULL: Final = {
    "Config": ("Volumes", "Cmd", "Entrypoint"),
    "HostConfig": (
        "Binds", "VolumesFrom", "CapAdd", "CapDrop", "ExtraHosts", "GroupAdd", "Links",
        "SecurityOpt", "DeviceCgroupRules", "DeviceRequests", "PortBindings", "PidsLimit",
    ),
}  # fmt: skip
_NULL_IN_ENDPOINT: Final = ("Links", "Aliases", "DriverOpts", "DNSNames", "IPAMConfig")
_FLAT_NETWORK_UNTIL: Final[ApiVersion] = (1, 51)
_FLAT: Final = (
    ("EndpointID", ""), ("Gateway", ""), ("GlobalIPv6Address", ""), ("GlobalIPv6PrefixLen", 0),
    ("IPAddress", ""), ("IPPrefixLen", 0), ("IPv6Gateway", ""), ("MacAddress", ""),
)  # fmt: skip
_KEEPS_EMPTY_PORTS: Final = "PortBindings"
OMITTED_IN_IMAGE: Final = ("Parent", "Comment", "DockerVersion", "Author")
_NO_HEALTH: Final = {"Status": "none", "FailingStreak": 0}


def inspect_shape(document: ContainerInspect, version: ApiVersion) -> Json:
    """ContainerInspect for a client of ``version``."""
    plain: Json = msgspec.to_builtins(document)
    for place, names in _OMITTED.items():
        part = plain[place] if place else plain
        for name in names:
            if not part.get(name):
                part.pop(name, None)
    for place, names in _UNSET.items():
        part = plain[place] if place else plain
        for name in names:
            if part.get(name) is None:
                part.pop(name, None)
    for place, names in _NULL.items():
        for name in names:
            if not plain[place].get(name) and name != _KEEPS_EMPTY_PORTS:
                plain[place][name] = None
    networks = plain["NetworkSettings"]["Networks"]
    for endpoint in networks.values():
        _null_endpoint(endpoint)
    if version <= _FLAT_NETWORK_UNTIL:
        plain["NetworkSettings"] = _with_flat_network(plain["NetworkSettings"])
    return plain


def summary_shape(document: ContainerSummary) -> Json:
    """One row of ContainerList."""
    plain: Json = msgspec.to_builtins(document)
    for name in ("ImageManifestDescriptor", "SizeRw", "SizeRootFs"):
        if not plain.get(name):
            plain.pop(name, None)
    plain["Health"] = plain["Health"] or dict(_NO_HEALTH)
    for port in plain["Ports"]:
        if not port["PublicPort"]:
            del port["PublicPort"]
        if not port["IP"]:
            del port["IP"]
    for endpoint in plain["NetworkSettings"]["Networks"].values():
        _null_endpoint(endpoint)
    if not plain["HostConfig"].get("Annotations"):
        plain["HostConfig"].pop("Annotations", None)
    return plain


def image_shape(document: ImageInspect) -> Json:
    """ImageInspect: the first builders' fields are there where they say something."""
    plain: Json = msgspec.to_builtins(document)
    return {key: each for key, each in plain.items() if each or key not in OMITTED_IN_IMAGE}


def _null_endpoint(endpoint: Json) -> None:
    for name in _NULL_IN_ENDPOINT:
        if not endpoint.get(name):
            endpoint[name] = None
    if wishes := endpoint["IPAMConfig"]:
        endpoint["IPAMConfig"] = {name: value for name, value in wishes.items() if value}


def _with_flat_network(settings: Json) -> Json:
    """The default bridge's endpoint once more, beside the networks: until 1.51."""
    bridge = settings["Networks"].get("bridge") or {}
    flat = {name: bridge.get(name) or empty for name, empty in _FLAT}
    return {
        "Bridge": "",
        **settings,
        "HairpinMode": False,
        "LinkLocalIPv6Address": "",
        "LinkLocalIPv6PrefixLen": 0,
        "SecondaryIPAddresses": None,
        "SecondaryIPv6Addresses": None,
        **flat,
    }
