"""Kernel settings that belong to one container's namespaces alone.

Source: OCI runtime-spec, config-linux.md, "Sysctl"; the kernel's namespaced settings.
"""

from collections.abc import Collection, Mapping
from typing import Final

from knarr.errors import InvalidArgument
from knarr.kernel.owners import Owners

_PING: Final = "net.ipv4.ping_group_range"
# Docker's defaults: ping and low ports without capabilities, harmless in a namespace of its own.
DEFAULT: Final = {
    "net.ipv4.ip_unprivileged_port_start": "0",
    _PING: "0 2147483647",
}
_IPC: Final = frozenset(
    {
        "kernel.msgmax", "kernel.msgmnb", "kernel.msgmni", "kernel.sem", "kernel.shmall",
        "kernel.shmmax", "kernel.shmmni", "kernel.shm_rmid_forced",
    }
)  # fmt: skip


def check_sysctls(
    names: Collection[str], *, own_network: bool, own_ipc: bool, own_uts: bool
) -> None:
    """Raises InvalidArgument, in the runtime's words, for what would change the host."""
    for name in names:
        if name in _IPC or name.startswith("fs.mqueue."):
            if not own_ipc:
                raise InvalidArgument(f'sysctl "{name}" is not allowed in the hosts ipc namespace')
        elif name.startswith("net."):
            if not own_network:
                raise InvalidArgument(f'sysctl "{name}" not allowed in host network namespace')
        elif name == "kernel.domainname":
            if not own_uts:
                raise InvalidArgument(f'sysctl "{name}" not allowed in host UTS namespace')
        elif name == "kernel.hostname":
            raise InvalidArgument(
                'sysctl "kernel.hostname" is not allowed as it conflicts with the hostname'
            )
        else:
            raise InvalidArgument(f'sysctl "{name}" is not in a separate kernel namespace')


def sysctls(
    wanted: Mapping[str, str],
    *,
    own_network: bool,
    known: Collection[str],
    owners: Owners | None = None,
) -> dict[str, str]:
    """The settings to write: the defaults where the network is the container's own, and others.

    known: those of the defaults that this kernel has; a runtime fails on one that is missing.
    owners: of the container's user namespace: a range of groups must not go beyond it.
    """
    defaults = {name: value for name, value in DEFAULT.items() if own_network and name in known}
    if owners is not None and _PING in defaults:
        defaults[_PING] = f"0 {owners.gids[0].size - 1}"
    return defaults | dict(wanted)
