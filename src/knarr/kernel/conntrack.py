"""Connection tracking over netlink: which flows the kernel remembers, and making it forget some.

The kernel decides once per flow whether its addresses are translated. A UDP flow that began before
a port was published, or that goes on after its container went, would follow the old decision for
as long as packets come. A TCP connection that a container never answered is tried again by the
client's kernel, and could reach another container that shares the port.

Source: linux/netfilter/nfnetlink_conntrack.h; net/netfilter/nf_conntrack_netlink.c.
"""

import errno
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address
from typing import Final

from knarr.kernel.netlink import Netlink, Request, attribute, attributes, nest, u8, u32

TCP: Final = 6
UDP: Final = 17
_SUBSYSTEM: Final = 1 << 8
_GET, _DELETE = (_SUBSYSTEM | number for number in (1, 2))
_TUPLE_ORIGINAL: Final = 1
_TUPLE_REPLY: Final = 2
_TUPLE_IP: Final = 1
_TUPLE_PROTOCOL: Final = 2
_ID: Final = 12
_FILTER: Final = 25
_FILTER_ORIGINAL: Final = 1
_FILTER_REPLY: Final = 2
_BY_PROTOCOL: Final = 1 << 3
_BY_PORT: Final = 1 << 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Flow:
    """One remembered flow. ``reply_from``: who really answers; differs from the destination when
    that was translated."""

    to_port: int
    reply_from: IPv4Address | IPv6Address
    original: bytes  # the tuple as the kernel gave it
    id: bytes


def _header(family: int) -> bytes:
    return struct.pack(">BBH", family, 0, 0)


def flows(
    netlink: Netlink, family: int, protocol: int, *, to_port: int | None = None
) -> list[Flow]:
    """The flows of an address family and a protocol (TCP, UDP), to one port or to any.

    Kernels before 5.8 do not filter, so the answer is looked through here as well.
    """
    wanted = u8(1, protocol)
    flags = _BY_PROTOCOL
    if to_port is not None:
        wanted += attribute(3, struct.pack(">H", to_port))
        flags |= _BY_PORT
    body = _header(family) + nest(_TUPLE_ORIGINAL, nest(_TUPLE_PROTOCOL, wanted))
    body += nest(_FILTER, u32(_FILTER_ORIGINAL, flags), u32(_FILTER_REPLY, 0))
    found = []
    for reply in netlink.dump(Request(_GET, body, "list connections")):
        flow = _flow(reply, protocol)
        if flow is not None and to_port in {None, flow.to_port}:
            found.append(flow)
    return found


def _flow(body: bytes, number: int) -> Flow | None:
    found = dict(attributes(body[4:]))
    original = dict(attributes(found[_TUPLE_ORIGINAL]))
    protocol = dict(attributes(original[_TUPLE_PROTOCOL]))
    if protocol[1] != bytes((number,)):
        return None
    back = dict(attributes(dict(attributes(found[_TUPLE_REPLY]))[_TUPLE_IP]))
    source = back.get(1) or back[3]
    return Flow(
        to_port=int.from_bytes(protocol[3], "big"),
        reply_from=IPv4Address(source) if len(source) == 4 else IPv6Address(source),
        original=found[_TUPLE_ORIGINAL],
        id=found.get(_ID, b""),
    )


def forget(netlink: Netlink, family: int, flows: Sequence[Flow]) -> None:
    """Content with flows that ended meanwhile."""
    netlink.act(
        [
            Request(
                _DELETE,
                _header(family)
                + attribute(_TUPLE_ORIGINAL | 0x8000, flow.original)
                + (attribute(_ID, flow.id) if flow.id else b""),
                "forget a connection",
                accept=(errno.ENOENT,),
            )
            for flow in flows
        ]
    )
