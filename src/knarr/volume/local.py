"""Volumes whose data is mounted from elsewhere: for the first container, until the last is gone."""

import errno
import logging
import socket
from contextlib import suppress

from knarr.errors import KnarrError
from knarr.kernel import mount
from knarr.volume.model import Volume
from knarr.volume.options import BIND, READ_ONLY, LocalMount, local_mount, with_address

_log = logging.getLogger("knarr.volume")


def mount_data(volume: Volume) -> None:
    """Mount what the volume's options ask for; nothing for a plain one, or if it is there already.

    May wait for a server: for a thread. Raises KnarrError with the kernel's reason.
    """
    wanted = local_mount(volume.options)
    if wanted is None or mount.is_mount_point(volume.mountpoint):
        return
    try:
        _mount(wanted, volume.mountpoint)
    except OSError as error:
        raise KnarrError(
            f"error while mounting volume '{volume.mountpoint}': failed to mount local volume:"
            f" mount {wanted.shown}: {_reason(wanted, error)}"
        ) from error


def _reason(wanted: LocalMount, error: OSError) -> str:
    if error.errno == errno.ENODEV:  # "no such device", whatever the device
        return f"this kernel knows no file system of type {wanted.kind}"
    return str(error.strerror)


def unmount_data(volume: Volume) -> None:
    """Undo it. Never fails: what is busy vanishes with its last user."""
    if local_mount(volume.options) is None:
        return
    try:
        if mount.is_mount_point(volume.mountpoint):
            mount.unmount(volume.mountpoint)
    except OSError as error:
        _log.warning("unmounting volume %s: %s", volume.name, error)
        with suppress(OSError):
            mount.unmount(volume.mountpoint, lazy=True)


def _mount(wanted: LocalMount, target: str) -> None:
    """Mount what a volume's options ask for; a read-only bind takes a second step."""
    data = wanted.data
    if wanted.host:
        found = socket.getaddrinfo(wanted.host, None, type=socket.SOCK_STREAM)
        data = with_address(data, wanted.host, str(found[0][4][0]))
    mount.mount(wanted.device, target, wanted.kind, wanted.flags, data)
    if wanted.flags & BIND and wanted.flags & READ_ONLY:
        mount.mount("", target, "", wanted.flags | mount.MS_REMOUNT)
