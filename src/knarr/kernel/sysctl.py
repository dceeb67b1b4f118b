"""Kernel settings of this network namespace, as files under /proc/sys."""

from typing import Final

_ROOT: Final = "/proc/sys/"


def read(name: str) -> str | None:
    """The value of ``net/ipv4/ip_forward``; None when this kernel has no such setting."""
    try:
        with open(_ROOT + name) as file:
            return file.read().strip()
    except FileNotFoundError:
        return None


def write(name: str, value: str) -> None:
    """Raises OSError when the setting is missing, read-only or refuses the value."""
    with open(_ROOT + name, "w") as file:
        file.write(value)


def ensure(name: str, value: str) -> bool:
    """Write only what differs: /proc/sys is often read-only where all is set already.

    Returns whether it had to be written. A setting that the kernel lacks counts as fine.
    """
    if read(name) in (None, value):
        return False
    write(name, value)
    return True
