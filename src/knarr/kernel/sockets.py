"""TCP sockets of a network namespace, as its processes' /proc shows them.

Source: proc_pid_net(5), /proc/net/tcp; linux/include/net/tcp_states.h.
"""

from collections.abc import Iterator
from contextlib import suppress
from typing import Final

_ESTABLISHED: Final = "01"
_SYN_RECEIVED: Final = "03"
_FIN_WAIT: Final = ("04", "05")
_CLOSE_WAIT: Final = "08"
_LAST_ACK: Final = "09"
_LISTEN: Final = "0A"
_OPEN: Final = frozenset({_ESTABLISHED, _SYN_RECEIVED, *_FIN_WAIT, _CLOSE_WAIT, _LAST_ACK})
_LOOPBACK: Final = ("0100007F", "00000000000000000000000001000000")


def listening(pid: int) -> set[int]:
    """Ports at which somebody in the process's network can be reached from outside of it.

    Empty when the process has gone.
    """
    return {
        port
        for address, port, state in _sockets(pid)
        if state == _LISTEN and address not in _LOOPBACK
    }


def connections(pid: int, ports: set[int]) -> int:
    """How many connections to ``ports`` are open, accepted or not, in the process's network."""
    return sum(
        state in _OPEN and port in ports and address not in _LOOPBACK
        for address, port, state in _sockets(pid)
    )


def _sockets(pid: int) -> Iterator[tuple[str, int, str]]:
    """(address, port, state) of each local end, as /proc spells the first and the last."""
    for version in ("", "6"):
        with suppress(OSError), open(f"/proc/{pid}/net/tcp{version}") as table:
            next(table)
            for line in table:
                fields = line.split(maxsplit=4)
                address, _, port = fields[1].partition(":")
                yield address, int(port, 16), fields[3]
