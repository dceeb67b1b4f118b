"""Whether another firewall's chain drops what comes to a published port. Pure.

A packet from the host's uplink is led through the chain's rules in thought. What cannot be known
(its source, sets, counters with limits) leaves the answer open, and an open answer is no warning:
only what is dropped for sure is told.
"""

import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Final

from knarr.kernel.nftables import IPV4, BaseChain
from knarr.kernel.nftreading import Expression, Rules
from knarr.network.model import Address

_PROTOCOLS: Final = {"tcp": 6, "udp": 17, "sctp": 132}
_DROP, _ACCEPT, _JUMP, _GOTO, _RETURN = 0, 1, -3, -4, -5
_NETWORK, _TRANSPORT = 1, 2
_NEW, _REDIRECTED = 8, 1 << 5
_DEEPEST: Final = 16  # jumps, as in the kernel
_HARMLESS: Final = frozenset({"counter", "log", "notrack", "dynset", "last"})
_HARMLESS_TARGETS: Final = frozenset({"LOG", "NFLOG", "MARK", "CONNMARK", "TCPMSS", "CHECKSUM"})
_TAKEN: Final = frozenset({"nat", "masq", "redir", "tproxy", "queue", "fwd", "dup"})
_MARK, _INPUT_INDEX, _INPUT_NAME, _FAMILY, _PROTOCOL = 3, 4, 6, 15, 16


class Fate(Enum):
    """What becomes of the packet in a chain."""

    DROPPED = "dropped"
    LET_THROUGH = "let through"
    CAME_BACK = "came back"
    OPEN = "open"


@dataclass(frozen=True, slots=True, kw_only=True)
class Packet:
    """The first packet of a connection from outside. None is not known.

    family: IPV4 or IPV6. uplink: (index, name) of the link that it comes in by.
    redirected: our rules led it to the container already, and ``mark`` is the packet's.
    """

    family: int
    protocol: str
    port: int | None
    address: Address | None = None
    uplink: tuple[int, str] | None = None
    redirected: bool = False
    mark: int | None = None

    def fact(self, key: int) -> bytes | None:
        """What ``meta`` loads."""
        if key == _FAMILY:
            return bytes((self.family,))
        if key == _PROTOCOL:
            return bytes((_PROTOCOLS[self.protocol],))
        if key == _MARK and self.mark is not None:
            return struct.pack("=I", self.mark)
        if key == _INPUT_INDEX and self.uplink:
            return struct.pack("=I", self.uplink[0])
        if key == _INPUT_NAME and self.uplink:
            return self.uplink[1].encode().ljust(16, b"\0")
        return None

    def part(self, base: int, offset: int, length: int) -> bytes | None:
        """What ``payload`` loads."""
        where = 16 if self.family == IPV4 else 24
        if base == _NETWORK and offset == where and self.address is not None:
            return self.address.packed[:length]
        if base == _NETWORK and (self.family, offset, length) == (IPV4, 9, 1):
            return bytes((_PROTOCOLS[self.protocol],))
        if (base, offset, length) == (_TRANSPORT, 2, 2) and self.port is not None:
            return self.port.to_bytes(2, "big")
        return None

    def tracked(self, key: int) -> bytes | None:
        """What ``ct`` loads: its state, its status."""
        if key == 0:
            return struct.pack("=I", _NEW)
        return struct.pack("=I", _REDIRECTED) if key == 2 and self.redirected else None


def fate(chain: BaseChain, rules: Rules, packet: Packet) -> Fate:
    """Of the packet in a chain of the kernel's hooks."""
    found = _walk(chain.name, rules, packet, 0)
    if found is Fate.CAME_BACK:
        return Fate.DROPPED if chain.drops else Fate.LET_THROUGH
    return found


def _walk(name: str, rules: Rules, packet: Packet, depth: int) -> Fate:
    if depth > _DEEPEST:
        return Fate.OPEN
    is_open = False
    for rule in rules.get(name, ()):
        applies, outcome = _rule(rule, rules, packet, depth)
        if applies is False or outcome is None:
            continue
        if outcome is Fate.CAME_BACK and not _leaves(rule):
            continue
        if applies is None or outcome is Fate.OPEN:
            is_open = True
        else:
            return Fate.OPEN if is_open else outcome
    return Fate.OPEN if is_open else Fate.CAME_BACK


def _leaves(rule: Sequence[Expression]) -> bool:
    """Whether a rule that came back ends its own chain: ``return``, and ``goto``."""
    verdict = rule[-1].verdict
    return verdict is not None and verdict[0] in (_RETURN, _GOTO)


def _rule(
    rule: Sequence[Expression], rules: Rules, packet: Packet, depth: int
) -> tuple[bool | None, Fate | None]:
    """(whether it applies, None for unknown; what it decides, None for nothing)."""
    registers = _Registers(packet)
    applies: bool | None = True
    for step in rule:
        verdict = step.verdict
        if verdict is not None:
            return applies, _decided(verdict, rules, packet, depth)
        if step.name == "reject" or _is_target(step, "REJECT"):
            return applies, Fate.DROPPED
        if step.name in _TAKEN:
            return applies, Fate.LET_THROUGH
        if step.name == "target" or _is_verdict_map(step):
            return applies, None if step.string(1) in _HARMLESS_TARGETS else Fate.OPEN
        holds = registers.step(step)
        if holds is False:
            return False, None
        applies = None if holds is None else applies
    return applies, None


def _is_target(step: Expression, name: str) -> bool:
    return step.name == "target" and step.string(1) == name


def _is_verdict_map(step: Expression) -> bool:
    return step.name == "lookup" and 3 in step.fields and step.number(3) == 0


def _decided(verdict: tuple[int, str], rules: Rules, packet: Packet, depth: int) -> Fate:
    code, chain = verdict
    if code in (_JUMP, _GOTO):
        return _walk(chain, rules, packet, depth + 1)
    return {_DROP: Fate.DROPPED, _ACCEPT: Fate.LET_THROUGH, _RETURN: Fate.CAME_BACK}.get(
        code, Fate.OPEN
    )


@dataclass(slots=True)
class _Registers:
    """What a rule has loaded so far. A register that is not here holds what nobody knows."""

    packet: Packet
    values: dict[int, bytes] = field(default_factory=dict)

    def step(self, step: Expression) -> bool | None:
        """Whether the rule goes on: None where that cannot be known."""
        if step.name in _LOADS:
            self._load(step)
            return True
        if step.name == "cmp":
            return _compared(self._value(step, 1), step.number(2), step.value(3))
        if step.name == "range":
            return self._ranged(step)
        if step.name in _HARMLESS or (step.name == "match" and step.string(1) == "comment"):
            return True
        return None

    def _load(self, step: Expression) -> None:
        target, loaded = _LOADS[step.name], self._loaded(step)
        where = _place(step.number(target))
        self.values.pop(where, None)
        if loaded is not None:
            self.values[where] = loaded

    def _loaded(self, step: Expression) -> bytes | None:
        match step.name:
            case "meta":
                return self.packet.fact(step.number(2))
            case "payload":
                return self.packet.part(step.number(2), step.number(3), step.number(4))
            case "ct":
                return self.packet.tracked(step.number(2))
            case "immediate":
                return step.value(2)
            case "bitwise":
                return _masked(self._value(step, 1), step.value(4), step.value(5))
        return None

    def _value(self, step: Expression, source: int) -> bytes | None:
        return self.values.get(_place(step.number(source)))

    def _ranged(self, step: Expression) -> bool | None:
        value, low, high = self._value(step, 1), step.value(3), step.value(4)
        if value is None:
            return None
        inside = low <= value[: len(low)] <= high
        return inside is (step.number(2) == 0)


_LOADS: Final[Mapping[str, int]] = {
    "meta": 1, "payload": 1, "ct": 1, "immediate": 1, "bitwise": 2, "fib": 1, "rt": 1, "socket": 2,
    "hash": 2, "numgen": 1, "exthdr": 1, "osf": 1, "byteorder": 2,
}  # fmt: skip


def _place(register: int) -> int:
    """The four registers of 16 bytes and the sixteen of four lie in the same place."""
    return register - 8 if register >= 8 else (register - 1) * 4


def _masked(value: bytes | None, mask: bytes, xor: bytes) -> bytes | None:
    if value is None or not mask:
        return None
    return bytes(v & m ^ x for v, m, x in zip(value, mask, xor, strict=False))


def _compared(value: bytes | None, operator: int, wanted: bytes) -> bool | None:
    if value is None:
        return None
    found = value[: len(wanted)]
    return (
        found == wanted, found != wanted, found < wanted,
        found <= wanted, found > wanted, found >= wanted,
    )[operator]  # fmt: skip
