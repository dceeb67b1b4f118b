"""Older versions of the API, step by step: what an answer of today looked like then.

A step stands for the last version that had the older shape; a client of that version or an older
one gets it, after the steps of all versions between. Steps are pure, and know only their document.
Source: Engine API, version history.
"""

from collections.abc import Callable, Iterator
from typing import Any, Final

from knarr.api.shapes import OMITTED_IN_IMAGE
from knarr.api.versions import ApiVersion

Json = Any
Step = Callable[[Json], None]


def without(path: str) -> Step:
    """Takes a field away. ``a.[].{}.b``: each element of a list, each value of a map."""
    where, _, name = path.rpartition(".")

    def step(document: Json) -> None:
        for part in _parts(document, where):
            part.pop(name, None)

    return step


def with_value(path: str, value: Callable[[dict[str, Json]], Json]) -> Step:
    """Adds a field, from the others of the object that it stands in."""
    where, _, name = path.rpartition(".")

    def step(document: Json) -> None:
        for part in _parts(document, where):
            part.setdefault(name, value(part))

    return step


def _parts(document: Json, path: str) -> Iterator[dict[str, Json]]:
    """The objects at a path; what is not there has none."""
    if not path:
        if isinstance(document, dict):
            yield document
        return
    name, _, rest = path.partition(".")
    if name == "[]":
        inner = document if isinstance(document, list | tuple) else ()
    elif name == "{}":
        inner = tuple(document.values()) if isinstance(document, dict) else ()
    else:
        inner = (document.get(name),) if isinstance(document, dict) else ()
    for each in inner:
        yield from _parts(each, rest)


def _constant(value: Json) -> Callable[[dict[str, Json]], Json]:
    return lambda _: value


def _untagged(image: Json) -> None:
    """Images without a name had one that says so."""
    image["RepoTags"] = image["RepoTags"] or ["<none>:<none>"]
    image["RepoDigests"] = image["RepoDigests"] or ["<none>@<none>"]


def _in_list(step: Step) -> Step:
    def each(documents: Json) -> None:
        for document in documents:
            step(document)

    return each


def _unset_in_config(image: Json) -> None:
    """What an image did not set was null or empty, and there."""
    if config := image.get("Config"):
        for name in ("User", "WorkingDir"):
            config.setdefault(name, "")
        for name in ("Env", "Cmd", "Volumes", "Entrypoint", "OnBuild", "Labels"):
            config.setdefault(name, None)


def _containers_config(image: Json) -> None:
    """An image's config had the fields of a container's, with nothing in them."""
    if config := image.get("Config"):
        for name in ("Hostname", "Domainname", "Image"):
            config.setdefault(name, "")
        for name in ("AttachStdin", "AttachStdout", "AttachStderr", "Tty", "OpenStdin"):
            config.setdefault(name, False)
        config.setdefault("StdinOnce", False)


def _mac_address(container: Json) -> None:
    """It belonged to the container, not to its endpoints."""
    networks = (container.get("NetworkSettings") or {}).get("Networks") or {}
    mode = container["HostConfig"].get("NetworkMode", "")
    main = networks.get("bridge" if mode == "default" else mode) or {}
    container["Config"].setdefault("MacAddress", main.get("MacAddress", ""))


def _expected_commits(info: Json) -> None:
    for name in ("ContainerdCommit", "RuncCommit", "InitCommit"):
        commit = info.get(name) or {}
        commit.setdefault("Expected", commit.get("ID", ""))


def _cache_parent(usage: Json) -> None:
    for record in usage.get("BuildCache") or ():
        parents = record.pop("Parents", None) or ("",)
        record["Parent"] = parents[0]


_SIZE: Final = lambda part: part.get("Size", 0)  # noqa: E731
_ENDPOINTS: Final = "NetworkSettings.Networks.{}"

# By endpoint: the last version that had the older shape, and the step to it; newest first.
STEPS: Final[dict[str, tuple[tuple[ApiVersion, Step], ...]]] = {
    "GET /containers/json": (
        ((1, 51), without("[].Health")),
        ((1, 47), without("[].ImageManifestDescriptor")),
        ((1, 47), without(f"[].{_ENDPOINTS}.GwPriority")),
        ((1, 45), without("[].HostConfig.Annotations")),
        ((1, 43), without(f"[].{_ENDPOINTS}.DNSNames")),
    ),
    "GET /containers/{ref}/json": (
        ((1, 51), with_value("Config.OnBuild", _constant(None))),
        ((1, 47), without("ImageManifestDescriptor")),
        ((1, 47), without(f"{_ENDPOINTS}.GwPriority")),
        ((1, 43), without(f"{_ENDPOINTS}.DNSNames")),
        ((1, 43), without("Config.Healthcheck.StartInterval")),
        ((1, 43), without("HostConfig.Mounts.[].BindOptions.ReadOnlyNonRecursive")),
        ((1, 43), without("HostConfig.Mounts.[].BindOptions.ReadOnlyForceRecursive")),
        ((1, 43), _mac_address),
        ((1, 42), without("HostConfig.Annotations")),
        ((1, 41), without("HostConfig.Mounts.[].BindOptions.CreateMountpoint")),
        ((1, 41), with_value("HostConfig.KernelMemory", _constant(0))),
        ((1, 40), without("HostConfig.CgroupnsMode")),
    ),
    "GET /images/json": (
        ((1, 47), without("[].Descriptor")),
        ((1, 46), without("[].Manifests")),
        ((1, 43), with_value("[].VirtualSize", _SIZE)),
        ((1, 42), _in_list(_untagged)),
    ),
    "GET /images/{name:path}/json": (
        *(((1, 51), with_value(name, _constant(""))) for name in OMITTED_IN_IMAGE),
        ((1, 51), _unset_in_config),
        ((1, 49), _containers_config),
        ((1, 47), without("Descriptor")),
        ((1, 47), without("Manifests")),
        ((1, 44), with_value("Container", _constant(""))),
        ((1, 44), with_value("ContainerConfig", _constant(None))),
        ((1, 43), with_value("VirtualSize", _SIZE)),
        ((1, 43), without("Config.Healthcheck.StartInterval")),
    ),
    "GET /networks": (((1, 46), without("[].EnableIPv4")),),
    "GET /networks/{ref}": (((1, 51), without("Status")), ((1, 46), without("EnableIPv4"))),
    "GET /info": (
        ((1, 49), without("DiscoveredDevices")),
        ((1, 48), without("FirewallBackend")),
        ((1, 48), with_value("BridgeNfIptables", _constant(True))),
        ((1, 48), with_value("BridgeNfIp6tables", _constant(True))),
        ((1, 48), _expected_commits),
        ((1, 45), without("Containerd")),
        ((1, 43), without("CDISpecDirs")),
        ((1, 43), without("Runtimes.{}.status")),
        ((1, 41), with_value("KernelMemory", _constant(False))),
        ((1, 41), with_value("ClusterStore", _constant(""))),
        ((1, 41), with_value("ClusterAdvertise", _constant(""))),
        ((1, 40), without("CgroupVersion")),
        ((1, 40), without("DefaultAddressPools")),
        ((1, 40), without("OSVersion")),
    ),
    "GET /version": (
        ((1, 34), without("Platform")),
        ((1, 34), without("Components")),
    ),
    "GET /system/df": (
        ((1, 51), without("Containers.[].Health")),
        ((1, 43), with_value("Images.[].VirtualSize", _SIZE)),
        ((1, 41), _cache_parent),
        ((1, 41), with_value("BuilderSize", _constant(0))),
    ),
}  # fmt: skip


def shaped(endpoint: str, document: Json, version: ApiVersion) -> None:
    """Make an answer's document, in place, what ``version`` of the API has."""
    for until, step in STEPS.get(endpoint, ()):
        if version <= until:
            step(document)
