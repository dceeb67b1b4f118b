"""The whole of a compose file as one shape, put together from its attributes and resources."""

from collections.abc import Iterator, Mapping
from functools import cache
from typing import Final

from knarr.compose import resources
from knarr.compose.attribute import Attribute
from knarr.compose.attributes import attribute
from knarr.compose.shape import Either, Fields, FilePath, ListOf, MapOf, Shape, Text
from knarr.compose.shape.collection import NAME_PATTERN

# The order in which Compose shows a service's attributes; its hash depends on it.
ORDER: Final = (
    "profiles", "annotations", "attach", "build", "develop", "blkio_config", "cap_add", "cap_drop",
    "cgroup_parent", "cgroup", "cpu_count", "cpu_percent", "cpu_period", "cpu_quota",
    "cpu_rt_period", "cpu_rt_runtime", "cpus", "cpuset", "cpu_shares", "command", "configs",
    "container_name", "credential_spec", "depends_on", "deploy", "device_cgroup_rules", "devices",
    "dns", "dns_opt", "dns_search", "domainname", "entrypoint", "provider", "environment",
    "env_file", "expose", "extends", "external_links", "extra_hosts", "group_add", "gpus",
    "hostname", "healthcheck", "image", "init", "ipc", "isolation", "labels", "label_file", "links",
    "logging", "mem_limit", "mem_reservation", "memswap_limit", "mem_swappiness", "mac_address",
    "models", "network_mode", "networks", "oom_kill_disable", "oom_score_adj", "pid", "pids_limit",
    "platform", "ports", "privileged", "pull_policy", "pull_refresh_after", "read_only", "restart",
    "runtime", "scale", "secrets", "security_opt", "shm_size", "stdin_open", "stop_grace_period",
    "stop_signal", "storage_opt", "sysctls", "tmpfs", "tty", "ulimits", "use_api_socket", "user",
    "userns_mode", "uts", "volumes", "volumes_from", "working_dir", "post_start", "pre_start",
    "pre_stop",
)  # fmt: skip

_NAMES: Final = frozenset(ORDER)


@cache
def attributes() -> dict[str, Attribute]:
    """Every attribute of a service, in order."""
    return {name: attribute(name) for name in ORDER}


class _Shapes(Mapping[str, Shape]):
    """Of all attributes, in order. A project has few of them: each is made when it is needed."""

    def __getitem__(self, name: str) -> Shape:
        if name not in _NAMES:
            raise KeyError(name)
        return attribute(name).shape

    def __contains__(self, name: object) -> bool:
        return name in _NAMES

    def __iter__(self) -> Iterator[str]:
        return iter(ORDER)

    def __len__(self) -> int:
        return len(ORDER)


@cache
def service_shape() -> Fields:
    return Fields(_Shapes())


_INCLUDE: Final = Either(
    Text(),
    lambda path, _: {"path": path},
    Fields(
        {
            "path": ListOf(FilePath(), lonely=True),
            "env_file": ListOf(FilePath(), lonely=True),
            "project_directory": FilePath(),
        },
        extensible=False,
    ),
)


@cache
def file_shape() -> Fields:
    """A compose file. Networks and models let any name pass, as Compose's schema does."""
    return Fields(
        {
            "version": Text(),
            "name": Text(),
            "include": ListOf(_INCLUDE),
            "services": MapOf(service_shape(), pattern=NAME_PATTERN, keeps_empty=True),
            "networks": resources.named(resources.NETWORK, closed=False, nullable=True),
            "volumes": resources.named(resources.VOLUME, nullable=True),
            "secrets": resources.named(resources.SECRET),
            "configs": resources.named(resources.CONFIG),
            "models": resources.named(resources.MODEL, closed=False),
        }
    )
