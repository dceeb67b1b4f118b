"""nf_tables over netlink: tables, chains, sets, maps, rules and their elements, as values.

A batch of requests is one transaction of the kernel: all or nothing, and no packet sees a half of
it. Rules are lists of the kernel's expressions, which work on registers; the functions here are
those expressions that this engine needs, in the order in which ``nft`` itself would write them.

Source: linux/netfilter/{nfnetlink,nf_tables}.h; what `nft --debug=netlink` prints.
"""

import errno
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from knarr.kernel.netlink import (
    NLM_F_APPEND,
    NLM_F_CREATE,
    Netlink,
    Request,
    attribute,
    attributes,
    nest,
    text,
)

INET: Final = 1  # families: IPv4 and IPv6 together
IPV4: Final = 2
IPV6: Final = 10

NETLINK_NETFILTER: Final = 12
_SUBSYSTEM: Final = 10 << 8
_BATCH_BEGIN: Final = 0x10
_BATCH_END: Final = 0x11
_NEWTABLE, _GETTABLE, _DELTABLE = (_SUBSYSTEM | number for number in (0, 1, 2))
_NEWCHAIN, _GETCHAIN, _DELCHAIN = (_SUBSYSTEM | number for number in (3, 4, 5))
_NEWRULE, _GETRULE, _DELRULE = (_SUBSYSTEM | number for number in (6, 7, 8))
TELLING_KINDS: Final = frozenset({_NEWTABLE, _DELTABLE, _NEWCHAIN, _DELCHAIN, _NEWRULE, _DELRULE})
"""Messages about what other programs set up; elements of sets come and go by others."""
_NEWSET, _GETSET = (_SUBSYSTEM | number for number in (9, 10))
_NEWSETELEM, _GETSETELEM, _DELSETELEM = (_SUBSYSTEM | number for number in (12, 13, 14))


def _u32(kind: int, value: int) -> bytes:
    """Numbers of nfnetlink are big-endian."""
    return attribute(kind, struct.pack(">I", value))


def _u64(kind: int, value: int) -> bytes:
    return attribute(kind, struct.pack(">Q", value))


def _family_header(family: int) -> bytes:
    return struct.pack(">BBH", family, 0, 0)


class NfTables:
    """The nf_tables of the network namespace in which the socket was made."""

    def __init__(self, netlink: Netlink) -> None:
        self._netlink = netlink

    @classmethod
    def open(cls) -> "NfTables":
        return cls(Netlink.open(NETLINK_NETFILTER))

    def close(self) -> None:
        self._netlink.close()

    def commit(self, requests: Sequence[Request]) -> None:
        """All of ``requests`` as one transaction. Raises OSError; then nothing has changed."""
        edge = struct.pack(">BBH", 0, 0, _SUBSYSTEM >> 8)
        begin = Request(_BATCH_BEGIN, edge, "change nf_tables")
        self._netlink.transact(begin, requests, Request(_BATCH_END, edge, "change nf_tables"))

    def tables(self) -> list[tuple[int, str]]:
        """(family, name) of every table."""
        bodies = self._netlink.dump(Request(_GETTABLE, _family_header(0), "list tables"))
        return [(body[0], _name(dict(attributes(body[4:]))[1])) for body in bodies]

    def chains(self) -> "list[BaseChain]":
        """Every chain which the kernel calls by itself."""
        bodies = self._netlink.dump(Request(_GETCHAIN, _family_header(0), "list chains"))
        return [chain for body in bodies if (chain := _base_chain(body)) is not None]

    def rules(self, chain: "BaseChain") -> "list[PlacedRule]":
        """The rules of a chain, in order."""
        body = _family_header(chain.family) + text(1, chain.table) + text(2, chain.name)
        bodies = self._netlink.dump(Request(_GETRULE, body, f"list chain {chain.name}"))
        return [_placed_rule(each) for each in bodies]

    def elements(self, table: str, name: str) -> list[bytes]:
        """The keys of all elements of a set or map of an inet table."""
        body = _family_header(INET) + text(1, table) + text(2, name)
        try:
            bodies = self._netlink.dump(Request(_GETSETELEM, body, f"list set {name}"))
        except OSError as error:
            if error.errno == errno.ENOENT:
                return []
            raise
        keys: list[bytes] = []
        for each in bodies:
            listed = dict(attributes(each[4:])).get(3, b"")
            for _, element in attributes(listed):
                keys.append(dict(attributes(dict(attributes(element))[1]))[1])
        return keys


def _name(payload: bytes) -> str:
    return payload.rstrip(b"\0").decode(errors="replace")


@dataclass(frozen=True, slots=True, kw_only=True)
class BaseChain:
    """A chain on a hook, as the kernel lists it. ``drops``: its policy is to drop."""

    family: int
    table: str
    name: str
    hook: int
    priority: int
    drops: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class PlacedRule:
    """A rule that is in a chain. ``comment`` is empty when it has none."""

    handle: int
    comment: str


_COMMENT: Final = 0  # the kind of user data that nft shows as a rule's comment


def _placed_rule(body: bytes) -> PlacedRule:
    found = dict(attributes(body[4:]))
    comment, data = "", found.get(7, b"")
    if len(data) > 2 and data[0] == _COMMENT:
        comment = _name(data[2 : 2 + data[1]])
    return PlacedRule(handle=int.from_bytes(found[3], "big"), comment=comment)


def insert_rule(chain: BaseChain, expressions: Sequence[bytes], comment: str) -> Request:
    """At the head of a chain of somebody else's."""
    raw = comment.encode() + b"\0"
    body = _family_header(chain.family) + text(1, chain.table) + text(2, chain.name)
    body += nest(4, *(nest(1, each) for each in expressions))
    body += attribute(7, bytes((_COMMENT, len(raw))) + raw)
    return Request(_NEWRULE, body, f"insert a rule into chain {chain.name}", NLM_F_CREATE)


def remove_rule(chain: BaseChain, handle: int) -> Request:
    body = _family_header(chain.family) + text(1, chain.table) + text(2, chain.name)
    return Request(_DELRULE, body + _u64(3, handle), f"remove a rule of chain {chain.name}")


def _base_chain(body: bytes) -> BaseChain | None:
    found = dict(attributes(body[4:]))
    if 4 not in found:
        return None
    hook = dict(attributes(found[4]))
    return BaseChain(
        family=body[0],
        table=_name(found[1]),
        name=_name(found[3]),
        hook=int.from_bytes(hook[1], "big"),
        priority=struct.unpack(">i", hook[2])[0],
        drops=found.get(5) == bytes(4),
    )


# Tables, chains, sets


def add_table(table: str) -> Request:
    """An inet table. Content when it is there."""
    return Request(
        _NEWTABLE, _family_header(INET) + text(1, table), f"add table {table}", NLM_F_CREATE
    )


def remove_table(table: str) -> Request:
    body = _family_header(INET) + text(1, table)
    return Request(_DELTABLE, body, f"remove table {table}")


PREROUTING, INPUT, FORWARD, OUTPUT, POSTROUTING = range(5)


@dataclass(frozen=True, slots=True, kw_only=True)
class Chain:
    """A chain with its rules, each a list of expressions.

    kind: "filter" or "nat" for one that the kernel calls at ``hook`` with ``priority``; empty for
    one that other rules jump to. A base chain's policy is to accept.
    """

    name: str
    rules: tuple[tuple[bytes, ...], ...]
    kind: str = ""
    hook: int = 0
    priority: int = 0


def add_chain(table: str, chain: Chain) -> Request:
    """The chain alone, empty; see ``add_rules``."""
    body = _family_header(INET) + text(1, table) + text(3, chain.name)
    if chain.kind:
        priority = attribute(2, struct.pack(">i", chain.priority))
        body += nest(4, _u32(1, chain.hook), priority) + _u32(5, 1) + text(7, chain.kind)
    return Request(_NEWCHAIN, body, f"add chain {chain.name}", NLM_F_CREATE)


def add_rules(table: str, chain: Chain) -> list[Request]:
    """The chain's rules, in order. Chains and sets that they name must be there."""
    requests = []
    for number, expressions in enumerate(chain.rules, start=1):
        body = _family_header(INET) + text(1, table) + text(2, chain.name)
        body += nest(4, *(nest(1, each) for each in expressions))
        about = f"add rule {number} of chain {chain.name}"
        requests.append(Request(_NEWRULE, body, about, NLM_F_CREATE | NLM_F_APPEND))
    return requests


@dataclass(frozen=True, slots=True)
class DataType:
    """What a part of a key is. ``number`` is how nft shows it; the kernel sees bytes alone."""

    number: int
    size: int

    @property
    def room(self) -> int:
        """Bytes it takes up in a concatenation."""
        return (self.size + 3) & ~3


IPV4_ADDRESS: Final = DataType(7, 4)
IPV6_ADDRESS: Final = DataType(8, 16)
PROTOCOL: Final = DataType(12, 1)
SERVICE: Final = DataType(13, 2)
NUMBER: Final = DataType(19, 4)  # nft has no plain number: it shows a packet's mark
INTERFACE: Final = DataType(41, 16)

_SET_INTERVAL: Final = 0x4
_SET_MAP: Final = 0x8
_SET_CONCAT: Final = 0x80
_ELEMENT_INTERVAL_END: Final = 0x1


@dataclass(frozen=True, slots=True, kw_only=True)
class Set:
    """A set, or with ``data`` a map. ``interval``: its keys are ranges."""

    name: str
    key: tuple[DataType, ...]
    data: tuple[DataType, ...] = ()
    interval: bool = False


def _type(parts: Sequence[DataType]) -> int:
    number = 0
    for part in parts:
        number = number << 6 | part.number
    return number


def _size(parts: Sequence[DataType]) -> int:
    return parts[0].size if len(parts) == 1 else sum(part.room for part in parts)


def add_set(table: str, set_: Set, number: int) -> Request:
    """``number`` tells the sets of one batch apart."""
    flags = _SET_INTERVAL * set_.interval | _SET_MAP * bool(set_.data)
    flags |= _SET_CONCAT * (len(set_.key) > 1)
    body = _family_header(INET) + text(1, table) + text(2, set_.name)
    body += _u32(3, flags) + _u32(4, _type(set_.key)) + _u32(5, _size(set_.key))
    if set_.data:
        body += _u32(6, _type(set_.data)) + _u32(7, _size(set_.data))
    if len(set_.key) > 1:
        fields = (nest(1, _u32(1, part.size)) for part in set_.key)
        body += nest(9, nest(2, *fields))
    body += _u32(10, number)
    return Request(_NEWSET, body, f"add set {set_.name}", NLM_F_CREATE)


@dataclass(frozen=True, slots=True)
class Element:
    """One element: a key, for a range its last key too, for a map the value.

    Parts of a concatenation are padded to four bytes each (``concatenated``).
    """

    key: bytes
    last: bytes | None = None
    data: bytes | None = None


def concatenated(*parts: bytes) -> bytes:
    return b"".join(part + bytes(-len(part) % 4) for part in parts)


def interface_key(name: str) -> bytes:
    return name.encode().ljust(16, b"\0")


def add_elements(table: str, set_: Set, elements: Sequence[Element]) -> list[Request]:
    """Raises EEXIST on commit when one of the keys leads elsewhere already."""
    return _elements(_NEWSETELEM, table, set_, elements, NLM_F_CREATE)


def remove_elements(table: str, set_: Set, elements: Sequence[Element]) -> list[Request]:
    """Raises ENOENT on commit when one of them is not there."""
    return _elements(_DELSETELEM, table, set_, elements, 0)


_ELEMENTS_A_MESSAGE: Final = 400  # a nest's length is 16 bits


def _elements(
    kind: int, table: str, set_: Set, elements: Sequence[Element], flags: int
) -> list[Request]:
    encoded = [part for each in elements for part in _element(set_, each)]
    verb = "add to" if kind == _NEWSETELEM else "remove from"
    head = _family_header(INET) + text(1, table) + text(2, set_.name)
    return [
        Request(
            kind,
            head + nest(3, *encoded[start : start + _ELEMENTS_A_MESSAGE]),
            f"{verb} set {set_.name}",
            flags,
        )
        for start in range(0, len(encoded), _ELEMENTS_A_MESSAGE)
    ]


def _element(set_: Set, element: Element) -> list[bytes]:
    """A range of one part is two elements: its first key, and an end mark after its last."""
    key = nest(1, attribute(1, element.key))
    data = nest(2, attribute(1, element.data)) if element.data is not None else b""
    if not set_.interval:
        return [nest(1, key, data)]
    last = element.key if element.last is None else element.last
    if len(set_.key) > 1:
        return [nest(1, key, nest(10, attribute(1, last)), data)]
    size = len(last)
    after = int.from_bytes(last, "big") + 1
    start = nest(1, key, data)
    if after >> (8 * size):
        return [start]
    end = nest(1, attribute(1, after.to_bytes(size, "big")))
    return [start, nest(1, end, _u32(3, _ELEMENT_INTERVAL_END))]


# Expressions

_REGISTER: Final = 1  # of 16 bytes; the 4-byte registers 8 to 11 are its quarters
_QUARTER: Final = 8


def _expression(name: str, *parts: bytes) -> bytes:
    return text(1, name) + nest(2, *parts)


def _value(kind: int, data: bytes) -> bytes:
    return nest(kind, attribute(1, data))


_META: Final = {
    "mark": 3, "iifname": 6, "oifname": 7, "nfproto": 15, "l4proto": 16,
}  # fmt: skip


def meta(key: str, quarter: int = 0) -> bytes:
    """Load a fact about the packet: "mark", "iifname", "oifname", "nfproto", "l4proto"."""
    return _expression("meta", _u32(2, _META[key]), _u32(1, _QUARTER + quarter))


def set_mark(bit: int) -> tuple[bytes, ...]:
    """Set one bit of the packet's mark, leave the others."""
    mask = struct.pack("=I", ~bit & 0xFFFFFFFF)
    return (meta("mark"), _bitwise(mask, struct.pack("=I", bit)), _store_mark())


def _bitwise(mask: bytes, xor: bytes) -> bytes:
    return _expression(
        "bitwise",
        _u32(1, _QUARTER), _u32(2, _QUARTER), _u32(3, len(mask)), _value(4, mask), _value(5, xor),
    )  # fmt: skip


def _store_mark() -> bytes:
    return _expression("meta", _u32(2, _META["mark"]), _u32(3, _QUARTER))


def mark_has(bit: int) -> tuple[bytes, ...]:
    raw = struct.pack("=I", bit)
    return (meta("mark"), _bitwise(raw, bytes(4)), equals(raw))


_NETWORK_HEADER: Final = 1
_TRANSPORT_HEADER: Final = 2
_PAYLOADS: Final = {
    "ip saddr": (_NETWORK_HEADER, 12, 4),
    "ip daddr": (_NETWORK_HEADER, 16, 4),
    "ip6 saddr": (_NETWORK_HEADER, 8, 16),
    "ip6 daddr": (_NETWORK_HEADER, 24, 16),
    "th dport": (_TRANSPORT_HEADER, 2, 2),
}


def payload(part: str, quarter: int = 0, size: int = 0) -> bytes:
    """Load a part of the packet; with ``size``, its first bytes only (a prefix)."""
    base, offset, length = _PAYLOADS[part]
    return _expression(
        "payload",
        _u32(1, _QUARTER + quarter), _u32(2, base), _u32(3, offset), _u32(4, size or length),
    )  # fmt: skip


def equals(data: bytes) -> bytes:
    return _expression("cmp", _u32(1, _QUARTER), _u32(2, 0), _value(3, data))


def differs(data: bytes) -> bytes:
    return _expression("cmp", _u32(1, _QUARTER), _u32(2, 1), _value(3, data))


def family_is(family: int) -> tuple[bytes, ...]:
    """IPV4 or IPV6: needed before a part of its header is loaded in an inet table."""
    return (meta("nfproto"), equals(bytes((family,))))


_STATES: Final = {"established": 2, "related": 4, "new": 8}
_STATUS_DNAT: Final = 1 << 5


def connection_state(*states: str) -> tuple[bytes, ...]:
    mask = sum(_STATES[each] for each in states)
    load = _expression("ct", _u32(2, 0), _u32(1, _QUARTER))
    return (load, _bitwise(struct.pack("=I", mask), bytes(4)), differs(bytes(4)))


def was_redirected() -> tuple[bytes, ...]:
    """The connection's destination was translated."""
    load = _expression("ct", _u32(2, 2), _u32(1, _QUARTER))
    return (load, _bitwise(struct.pack("=I", _STATUS_DNAT), bytes(4)), differs(bytes(4)))


def to_this_host() -> tuple[bytes, ...]:
    """The destination is an address of this machine."""
    address_type, destination, local = 3, 1 << 1, 2
    load = _expression("fib", _u32(1, _QUARTER), _u32(2, address_type), _u32(3, destination))
    return (load, equals(struct.pack("=I", local)))


def lookup(set_: Set, *, negated: bool = False) -> bytes:
    """Whether the loaded key is in the set; for a map, load its value as well."""
    parts = [text(1, set_.name), _u32(2, _REGISTER if len(set_.key) > 1 else _QUARTER)]
    if set_.data:
        parts.append(_u32(3, _REGISTER))
    if negated:
        parts.append(_u32(5, 1))
    return _expression("lookup", *parts)


def any_number(below: int, quarter: int = 0) -> bytes:
    """Load a number of 0 to ``below`` - 1, at random."""
    at_random = 1
    return _expression("numgen", _u32(1, _QUARTER + quarter), _u32(2, below), _u32(3, at_random))


def load(data: bytes, quarter: int = 0) -> bytes:
    """Load a constant."""
    return _expression("immediate", _u32(1, _QUARTER + quarter), _value(2, data))


def redirect(family: int, *, port_quarter: int | None = None) -> bytes:
    """Translate the destination to the loaded address, and port if it is loaded too."""
    parts = [_u32(1, 1), _u32(2, family), _u32(3, _REGISTER)]
    if port_quarter is not None:
        parts.append(_u32(5, _QUARTER + port_quarter))
    return _expression("nat", *parts)


def translate_source(family: int) -> bytes:
    """Translate the source to the loaded address."""
    return _expression("nat", _u32(1, 0), _u32(2, family), _u32(3, _REGISTER))


def masquerade() -> bytes:
    return _expression("masq")


_PORTS_ARE_GIVEN: Final = 1 << 1


def masquerade_from(first: int, last: int) -> tuple[bytes, ...]:
    """The same, the source port becoming one of ``first`` to ``last`` where it is none of them."""
    lowest, highest = (port.to_bytes(2, "big") for port in (first, last))
    ports = (_u32(1, _PORTS_ARE_GIVEN), _u32(2, _QUARTER), _u32(3, _QUARTER + 1))
    return (load(lowest), load(highest, 1), _expression("masq", *ports))


_VERDICTS: Final = {"drop": 0, "accept": 1, "jump": -3, "goto": -4, "return": -5}


def verdict(name: str, chain: str = "") -> bytes:
    """ "accept", "drop", "return"; "jump" or "goto" a chain."""
    code = attribute(1, struct.pack(">i", _VERDICTS[name]))
    target = text(2, chain) if chain else b""
    return _expression("immediate", _u32(1, 0), nest(2, nest(2, code, target)))
