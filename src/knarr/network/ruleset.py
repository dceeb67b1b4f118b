"""The one nftables table of an engine: fixed rules, and what changes as elements of sets and maps.

The rules never grow: a packet costs the same look-ups with one container and with a thousand, and
starting a container adds elements, never rules. Read `nft list table inet knarr` beside this page.

    guard        before everything: nothing from a container poses as, or reaches, 127.0.0.0/8
    prerouting   a connection from outside to a published port goes on to its container
    output       the same for the host's own connections, those to 127.0.0.1 included
    forward      who may talk to whom: within one network, out of it, into it only if published
    postrouting  whose source address becomes the host's

A verdict to accept is never final in nftables: other tables may still drop. What ``forward`` lets
through is marked (``MARK``), so that one rule in another firewall can let it through too.
"""

from collections.abc import Iterable
from typing import Final

from knarr.kernel import nftables as nft
from knarr.kernel.netlink import Request
from knarr.kernel.nftables import (
    INTERFACE,
    IPV4,
    IPV4_ADDRESS,
    IPV6,
    IPV6_ADDRESS,
    NUMBER,
    PROTOCOL,
    SERVICE,
    Chain,
    Set,
    family_is,
    lookup,
    meta,
    payload,
    verdict,
)

MARK: Final = 0x0040_0000  # "let through by knarr"
SLOTS: Final = 60  # of a port that is shared: dealt out evenly among 2, 3, 4, 5, 6, 10, 12 …

BRIDGES: Final = Set(name="bridges", key=(INTERFACE,))
INTERNAL: Final = Set(name="internal", key=(INTERFACE,))
ROUTED: Final = Set(name="routed", key=(INTERFACE,))
WITHIN: Final = Set(name="within", key=(INTERFACE, INTERFACE))
FOREIGN: Final = Set(name="foreign", key=(INTERFACE,), interval=True)
LOCAL4: Final = Set(name="local4", key=(IPV4_ADDRESS, INTERFACE), interval=True)
LOCAL6: Final = Set(name="local6", key=(IPV6_ADDRESS, INTERFACE), interval=True)
MASQUERADED4: Final = Set(name="masqueraded4", key=(IPV4_ADDRESS,), interval=True)
MASQUERADED6: Final = Set(name="masqueraded6", key=(IPV6_ADDRESS,), interval=True)
SOURCES4: Final = Set(name="sources4", key=(IPV4_ADDRESS,), data=(IPV4_ADDRESS,), interval=True)
PORTS4: Final = Set(name="ports4", key=(PROTOCOL, SERVICE), data=(IPV4_ADDRESS, SERVICE))
PORTS6: Final = Set(name="ports6", key=(PROTOCOL, SERVICE), data=(IPV6_ADDRESS, SERVICE))
PORTS4_AT: Final = Set(
    name="ports4_at", key=(IPV4_ADDRESS, PROTOCOL, SERVICE), data=(IPV4_ADDRESS, SERVICE)
)
PORTS6_AT: Final = Set(
    name="ports6_at", key=(IPV6_ADDRESS, PROTOCOL, SERVICE), data=(IPV6_ADDRESS, SERVICE)
)
RANGES4: Final = Set(
    name="ranges4", key=(IPV4_ADDRESS, PROTOCOL, SERVICE), data=(IPV4_ADDRESS,), interval=True
)
RANGES6: Final = Set(
    name="ranges6", key=(IPV6_ADDRESS, PROTOCOL, SERVICE), data=(IPV6_ADDRESS,), interval=True
)
LINKED4: Final = Set(name="linked4", key=(IPV4_ADDRESS, IPV4_ADDRESS, PROTOCOL, SERVICE))
TURNS4: Final = Set(name="turns4", key=(PROTOCOL, SERVICE, NUMBER), data=(IPV4_ADDRESS, SERVICE))
TURNS6: Final = Set(name="turns6", key=(PROTOCOL, SERVICE, NUMBER), data=(IPV6_ADDRESS, SERVICE))
TURNS4_AT: Final = Set(
    name="turns4_at",
    key=(IPV4_ADDRESS, PROTOCOL, SERVICE, NUMBER),
    data=(IPV4_ADDRESS, SERVICE),
)
TURNS6_AT: Final = Set(
    name="turns6_at",
    key=(IPV6_ADDRESS, PROTOCOL, SERVICE, NUMBER),
    data=(IPV6_ADDRESS, SERVICE),
)
SETS: Final = (
    BRIDGES, INTERNAL, ROUTED, WITHIN, FOREIGN, LOCAL4, LOCAL6, MASQUERADED4, MASQUERADED6,
    SOURCES4, LINKED4, PORTS4, PORTS6, PORTS4_AT, PORTS6_AT, RANGES4, RANGES6,
    TURNS4, TURNS6, TURNS4_AT, TURNS6_AT,
)  # fmt: skip

# Bridges of other engines: what goes there is for their rules to allow, not for our mark.
_OTHER_ENGINES: Final = ("docker", "br-", "podman", "cni", "lxcbr", "virbr")

# A container remembers for a minute who asked it. The host's connections from 127.0.0.1 and from a
# bridge's address look alike to it, but their clocks do not: had both the same source port, a first
# packet would be refused and sent again. These ports no program is given by itself.
_LOOPBACKS_PORTS: Final = (1024, 32767)

_RAW: Final = -300
_DESTINATION_NAT: Final = -100
_BEFORE_FILTER: Final = -1
_SOURCE_NAT: Final = 100

_FROM_US: Final = (meta("iifname"), lookup(BRIDGES))
_INTO_US: Final = (meta("oifname"), lookup(BRIDGES))
_NOT_INTO_US: Final = (meta("oifname"), lookup(BRIDGES, negated=True))
_LOOPBACK_DESTINATION: Final = (*family_is(IPV4), payload("ip daddr", size=1))
_LOOPBACK_SOURCE: Final = (*family_is(IPV4), payload("ip saddr", size=1))
_IS_127: Final = nft.equals(bytes((127,)))
_TO_LOOPBACK6: Final = (*family_is(IPV6), payload("ip6 daddr"), nft.equals(bytes(15) + b"\x01"))
_LET_THROUGH: Final = verdict("goto", "let_through")
_LINKED: Final = (
    *_FROM_US, *family_is(IPV4), payload("ip saddr", 0), payload("ip daddr", 1),
    meta("l4proto", 2), payload("th dport", 3),
)  # fmt: skip
_PROTOCOL_AND_PORT: Final = (meta("l4proto", 0), payload("th dport", 1))


def _published(
    family: int, address: str, maps: tuple[Set, Set, Set]
) -> Iterable[tuple[bytes, ...]]:
    """The look-ups of one family: the port alone, the port at an address, a range of ports."""
    anywhere, at_address, ranges = maps
    quarters = 1 if family == IPV4 else 4
    key = (payload(address), meta("l4proto", quarters), payload("th dport", quarters + 1))
    to_port = nft.redirect(family, port_quarter=quarters)
    return (
        (*family_is(family), *_PROTOCOL_AND_PORT, lookup(anywhere), to_port),
        (*family_is(family), *key, lookup(at_address), to_port),
        (*family_is(family), *key, lookup(ranges), nft.redirect(family)),
    )


def _shared(family: int, address: str, maps: tuple[Set, Set]) -> Iterable[tuple[bytes, ...]]:
    """The same for ports with several containers behind them: whose turn it is.

    At random, not in order: other connections to this host would count as well, and a client that
    asks a local nameserver before each connection would meet the same container each time.
    """
    anywhere, at_address = maps
    quarters = 1 if family == IPV4 else 4
    port, at_port = nft.any_number(SLOTS, 2), nft.any_number(SLOTS, quarters + 2)
    key = (payload(address), meta("l4proto", quarters), payload("th dport", quarters + 1))
    to_port = nft.redirect(family, port_quarter=quarters)
    return (
        (*family_is(family), *_PROTOCOL_AND_PORT, port, lookup(anywhere), to_port),
        (*family_is(family), *key, at_port, lookup(at_address), to_port),
    )


CHAINS: Final = (
    Chain(
        name="published",
        rules=(
            *_published(IPV4, "ip daddr", (PORTS4, PORTS4_AT, RANGES4)),
            *_published(IPV6, "ip6 daddr", (PORTS6, PORTS6_AT, RANGES6)),
            *_shared(IPV4, "ip daddr", (TURNS4, TURNS4_AT)),
            *_shared(IPV6, "ip6 daddr", (TURNS6, TURNS6_AT)),
        ),
    ),
    Chain(
        name="let_through",
        rules=((*nft.set_mark(MARK), verdict("accept")),),
    ),
    Chain(
        name="into_network",
        rules=(
            (meta("iifname", 0), meta("oifname", 4), lookup(WITHIN), _LET_THROUGH),
            (*_LINKED, lookup(LINKED4), _LET_THROUGH),
            (meta("iifname"), lookup(INTERNAL), verdict("drop")),
            (meta("oifname"), lookup(INTERNAL), verdict("drop")),
            (*nft.was_redirected(), _LET_THROUGH),
            (meta("oifname"), lookup(ROUTED), _LET_THROUGH),
            (verdict("drop"),),
        ),
    ),
    Chain(
        name="out_of_network",
        rules=(
            (meta("iifname"), lookup(INTERNAL), verdict("drop")),
            (meta("oifname"), lookup(FOREIGN), verdict("return")),
            (_LET_THROUGH,),
        ),
    ),
    Chain(
        name="answers",
        rules=(
            (*_FROM_US, _LET_THROUGH),
            (*_INTO_US, _LET_THROUGH),
        ),
    ),
    Chain(
        name="guard",
        kind="filter",
        hook=nft.PREROUTING,
        priority=_RAW,
        rules=(
            (*_FROM_US, *_LOOPBACK_DESTINATION, _IS_127, verdict("drop")),
            (*_FROM_US, *_LOOPBACK_SOURCE, _IS_127, verdict("drop")),
        ),
    ),
    Chain(
        name="prerouting",
        kind="nat",
        hook=nft.PREROUTING,
        priority=_DESTINATION_NAT,
        rules=(
            (*_LOOPBACK_DESTINATION, _IS_127, verdict("return")),
            (*nft.to_this_host(), verdict("jump", "published")),
        ),
    ),
    Chain(
        name="output",
        kind="nat",
        hook=nft.OUTPUT,
        priority=_DESTINATION_NAT,
        rules=(
            (*_TO_LOOPBACK6, verdict("return")),  # see relays.py
            (*nft.to_this_host(), verdict("jump", "published")),
        ),
    ),
    Chain(
        name="forward",
        kind="filter",
        hook=nft.FORWARD,
        priority=_BEFORE_FILTER,
        rules=(
            (*nft.connection_state("established", "related"), verdict("jump", "answers")),
            (*_INTO_US, verdict("jump", "into_network")),
            (*_FROM_US, verdict("jump", "out_of_network")),
        ),
    ),
    Chain(
        name="postrouting",
        kind="nat",
        hook=nft.POSTROUTING,
        priority=_SOURCE_NAT,
        rules=(
            (*_INTO_US, *_LOOPBACK_SOURCE, _IS_127, *nft.masquerade_from(*_LOOPBACKS_PORTS)),
            (
                *nft.was_redirected(), *family_is(IPV4),
                payload("ip saddr", 0), meta("oifname", 1), lookup(LOCAL4), nft.masquerade(),
            ),
            (
                *nft.was_redirected(), *family_is(IPV6),
                payload("ip6 saddr", 0), meta("oifname", 4), lookup(LOCAL6), nft.masquerade(),
            ),
            (
                *_NOT_INTO_US, *family_is(IPV4),
                payload("ip saddr"), lookup(SOURCES4), nft.translate_source(IPV4),
            ),
            (
                *_NOT_INTO_US, *family_is(IPV4),
                payload("ip saddr"), lookup(MASQUERADED4), nft.masquerade(),
            ),
            (
                *_NOT_INTO_US, *family_is(IPV6),
                payload("ip6 saddr"), lookup(MASQUERADED6), nft.masquerade(),
            ),
        ),
    ),
)  # fmt: skip


def install(table: str) -> list[Request]:
    """The table whole and empty, in place of any older one of that name."""
    requests = [nft.add_table(table), nft.remove_table(table), nft.add_table(table)]
    requests += [nft.add_set(table, each, number) for number, each in enumerate(SETS, start=1)]
    requests += [nft.add_chain(table, chain) for chain in CHAINS]
    foreign = [_name_prefix(prefix) for prefix in sorted(_OTHER_ENGINES)]
    requests += nft.add_elements(table, FOREIGN, foreign)
    for chain in CHAINS:
        requests += nft.add_rules(table, chain)
    return requests


def _name_prefix(prefix: str) -> nft.Element:
    """Every interface whose name begins so, as a range of 16 bytes."""
    first = nft.interface_key(prefix)
    return nft.Element(first, prefix.encode().ljust(16, b"\xff"))
