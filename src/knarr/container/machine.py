"""What the machine can do, as facts that the plans take as an argument.

Read once at start by facts.py; tests make their own.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from knarr.container.capabilities import CAPABILITIES

UNLIMITED: Final = 2**64 - 1  # RLIM_INFINITY, as the kernel and the runtime spec write it


@dataclass(frozen=True, slots=True, kw_only=True)
class Controllers:
    """Which limits the mounted cgroups can hold."""

    memory: bool = True
    swap: bool = True
    memory_reservation: bool = True
    swappiness: bool = True
    oom_kill_disable: bool = True
    pids: bool = True
    cpu_shares: bool = True
    cpu_quota: bool = True
    cpu_realtime: bool = False
    cpuset: bool = True
    block_weight: bool = True
    block_throttle: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """The facts about kernel, cgroups and this process that decide what a container may get.

    cgroup_version: 1 wherever the controllers live in v1 hierarchies, so on hybrid machines too.
    hard_limits: this process's hard rlimits by name (``nofile``), in each limit's own unit.
    oom_score_adj: this process's own; lower ones need CAP_SYS_RESOURCE.
    sysctls: those of Docker's default settings that this kernel has.
    init_path: a statically linked small init (tini, catatonit), or empty.
    """

    architecture: str = "x86_64"
    kernel: tuple[int, int] = (6, 1)
    cgroup_version: int = 2
    controllers: Controllers = Controllers()
    cgroup_namespaces: bool = True
    cpus: frozenset[int] = frozenset({0, 1})
    memory_nodes: frozenset[int] = frozenset({0})
    memory_bytes: int = 0
    capabilities: frozenset[str] = frozenset(CAPABILITIES)
    hard_limits: Mapping[str, int] = field(default_factory=dict)
    may_raise_limits: bool = True
    oom_score_adj: int = 0
    seccomp: bool = True
    apparmor_profile: str = ""
    sysctls: frozenset[str] = frozenset()
    thermal_paths: tuple[str, ...] = ()
    init_path: str = ""

    @property
    def recursive_read_only(self) -> bool:
        """Whether mount_setattr(2) can make a whole tree read-only."""
        return self.kernel >= (5, 12)
