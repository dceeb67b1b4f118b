"""The modes of a container's namespaces: ``private``, ``host``, ``container:NAME`` and so on.

Source: Engine API, HostConfig IpcMode, PidMode, UTSMode, CgroupnsMode, UsernsMode, NetworkMode.
"""

from typing import Final

from knarr.errors import InvalidArgument

_CONTAINER: Final = "container:"
_IPC: Final = ("", "none", "private", "shareable", "host")


def joined_container(mode: str) -> str | None:
    """The container whose namespace is joined, or None; may be empty where no name follows."""
    return mode.removeprefix(_CONTAINER) if mode.startswith(_CONTAINER) else None


def is_own(mode: str) -> bool:
    """Whether the container gets a namespace of its own."""
    return mode != "host" and joined_container(mode) is None


def check_modes(*, ipc: str, pid: str, uts: str, cgroupns: str, userns: str) -> None:
    """Raises InvalidArgument in Docker's words for a mode that does not exist."""
    if ipc not in _IPC and joined_container(ipc) is None:
        raise InvalidArgument(f"invalid IPC mode: {ipc}")
    if pid not in ("", "host") and not joined_container(pid):
        raise InvalidArgument(f"invalid PID mode: {pid}")
    if uts not in ("", "host"):
        raise InvalidArgument(f"invalid UTS mode: {uts}")
    if cgroupns not in ("", "private", "host"):
        raise InvalidArgument(f"invalid cgroup namespace mode: {cgroupns}")
    if userns not in ("", "host"):
        raise InvalidArgument(f"invalid userns mode: {userns}: it can be host, or not given")
