"""Telling systemd that the daemon is ready, where systemd asked to be told."""

import os
import socket


def notify(state: str) -> None:
    """Send ``READY=1`` or ``STOPPING=1`` to $NOTIFY_SOCKET. Source: sd_notify(3)."""
    address = os.environ.get("NOTIFY_SOCKET")
    if not address:
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as channel:
        channel.sendto(state.encode(), address.replace("@", "\0", 1))
