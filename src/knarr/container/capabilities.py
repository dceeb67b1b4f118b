"""Which capabilities a container gets.

Source: capabilities(7); Engine API, HostConfig CapAdd, CapDrop, Privileged.
"""

from collections.abc import Collection, Sequence
from typing import Final

from knarr.errors import InvalidArgument

# In the order of their numbers, from 0.
_NAMES: Final = """
    CHOWN DAC_OVERRIDE DAC_READ_SEARCH FOWNER FSETID KILL SETGID SETUID SETPCAP LINUX_IMMUTABLE
    NET_BIND_SERVICE NET_BROADCAST NET_ADMIN NET_RAW IPC_LOCK IPC_OWNER SYS_MODULE SYS_RAWIO
    SYS_CHROOT SYS_PTRACE SYS_PACCT SYS_ADMIN SYS_BOOT SYS_NICE SYS_RESOURCE SYS_TIME
    SYS_TTY_CONFIG MKNOD LEASE AUDIT_WRITE AUDIT_CONTROL SETFCAP MAC_OVERRIDE MAC_ADMIN SYSLOG
    WAKE_ALARM BLOCK_SUSPEND AUDIT_READ PERFMON BPF CHECKPOINT_RESTORE
"""
CAPABILITIES: Final = tuple(f"CAP_{name}" for name in _NAMES.split())

DEFAULT: Final = (
    "CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_FSETID", "CAP_FOWNER", "CAP_MKNOD", "CAP_NET_RAW",
    "CAP_SETGID", "CAP_SETUID", "CAP_SETFCAP", "CAP_SETPCAP", "CAP_NET_BIND_SERVICE",
    "CAP_SYS_CHROOT", "CAP_KILL", "CAP_AUDIT_WRITE",
)  # fmt: skip
_ALL: Final = "ALL"


def normalized(names: Sequence[str], available: Collection[str]) -> tuple[str, ...]:
    """``net_admin`` as ``CAP_NET_ADMIN``; ``ALL`` stays. Raises InvalidArgument for others."""
    return tuple(_normalized(name, available) for name in names)


def _normalized(name: str, available: Collection[str]) -> str:
    upper = name.upper()
    if upper == _ALL:
        return _ALL
    full = upper if upper.startswith("CAP_") else f"CAP_{upper}"
    if full not in CAPABILITIES:
        raise InvalidArgument(f'unknown capability: "{full}"')
    if full not in available:
        raise InvalidArgument(
            "capability not supported by your kernel or not available in the current"
            f' environment: "{full}"'
        )
    return full


def granted(
    add: Sequence[str], drop: Sequence[str], available: Collection[str], *, privileged: bool = False
) -> tuple[str, ...]:
    """The container's set. An added ALL wins over a dropped ALL; a privileged one gets them all.

    available: what the daemon itself may hand out. Of the default set, what is not available is
    left out: a daemon inside a container starts containers with what it has.
    """
    everything = tuple(name for name in CAPABILITIES if name in available)
    if privileged:
        return everything
    added, dropped = normalized(add, available), normalized(drop, available)
    if _ALL in added:
        return tuple(name for name in everything if name not in dropped)
    if _ALL in dropped:
        return tuple(dict.fromkeys(added))
    kept = (name for name in DEFAULT if name in available and name not in dropped)
    return tuple(dict.fromkeys((*kept, *added)))
