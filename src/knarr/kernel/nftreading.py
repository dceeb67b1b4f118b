"""Rules of other programs as the kernel lists them: read only, each expression with its fields.

Source: linux/netfilter/nf_tables.h.
"""

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from knarr.kernel.netlink import Netlink, Request, attributes, text

_GETRULE: Final = 10 << 8 | 7
_CHAIN, _EXPRESSIONS = 2, 4
_NAME, _DATA = 1, 2

Fields = Mapping[int, bytes]


@dataclass(frozen=True, slots=True)
class Expression:
    """One step of a rule. ``fields``: raw, by the kernel's number for each of its kinds."""

    name: str
    fields: Fields

    def number(self, kind: int) -> int:
        """A big-endian number; 0 where it is not there."""
        return int.from_bytes(self.fields.get(kind, b""), "big")

    def value(self, kind: int) -> bytes:
        """The bytes of a nested value; empty where there is none."""
        return dict(attributes(self.fields.get(kind, b""))).get(1, b"")

    def string(self, kind: int) -> str:
        return self.fields.get(kind, b"").rstrip(b"\0").decode(errors="replace")

    @property
    def verdict(self) -> tuple[int, str] | None:
        """(code, chain) of an immediate that decides; None for any other."""
        if self.name != "immediate" or self.number(1) != 0:
            return None
        nested = dict(attributes(dict(attributes(self.fields.get(2, b""))).get(2, b"")))
        chain = nested.get(2, b"").rstrip(b"\0").decode(errors="replace")
        return struct.unpack(">i", nested[1])[0], chain


Rules = dict[str, list[list[Expression]]]


def rules_of(netlink: Netlink, family: int, table: str) -> Rules:
    """Every rule of a table, by chain, in order."""
    body = struct.pack(">BBH", family, 0, 0) + text(1, table)
    found: Rules = {}
    for each in netlink.dump(Request(_GETRULE, body, f"list table {table}")):
        rule = dict(attributes(each[4:]))
        chain = rule[_CHAIN].rstrip(b"\0").decode(errors="replace")
        found.setdefault(chain, []).append(
            [expression(item) for _, item in attributes(rule.get(_EXPRESSIONS, b""))]
        )
    return found


def expression(raw: bytes) -> Expression:
    """One of a rule's expressions: the kernel's name of it, and its fields."""
    parts = dict(attributes(raw))
    name = parts[_NAME].rstrip(b"\0").decode(errors="replace")
    return Expression(name, dict(attributes(parts.get(_DATA, b""))))
