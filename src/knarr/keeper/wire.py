"""Messages between daemon and keeper: JSON in packets of a unix socket, descriptors beside them.

{"id": 7, "verb": "start", "args": {…}}          daemon to keeper
{"re": 7, "ok": {…}}   {"re": 7, "error": {…}}   the answer, some time later
{"tell": "exit", "args": {…}}                    keeper to daemon, by itself
"""

import json
import socket
from collections.abc import Iterable
from typing import Any, Final

Message = dict[str, Any]

PROTOCOL: Final = 1  # both sides name theirs in "hello"; a daemon refuses a keeper of another one
_PACKET_BYTES: Final = (
    1 << 18
)  # the most that one message may hold; the kernel's default is 208 KiB
_DESCRIPTORS: Final = 8


def new_socket() -> socket.socket:
    """Packets, in order, whole, and an end that both sides notice."""
    return socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET | socket.SOCK_CLOEXEC)


def send(connection: socket.socket, message: Message, descriptors: Iterable[int] = ()) -> None:
    """One message. Raises BlockingIOError when the other side does not read, OSError when gone."""
    packet = json.dumps(message, separators=(",", ":")).encode()
    socket.send_fds(connection, [packet], list(descriptors), socket.MSG_NOSIGNAL)


def receive(connection: socket.socket) -> tuple[Message, list[int]] | None:
    """The next message and the descriptors that came with it; None when the other side is gone.

    Raises BlockingIOError when there is none yet. The caller owns the descriptors.
    """
    packet, descriptors, _, _ = socket.recv_fds(
        connection, _PACKET_BYTES, _DESCRIPTORS, socket.MSG_CMSG_CLOEXEC
    )
    return (json.loads(packet), descriptors) if packet else None
