"""What becomes of a packet in a chain of another firewall, as far as that can be known."""

from ipaddress import ip_address

import pytest

from knarr.kernel import nftables as nft
from knarr.kernel.nftables import BaseChain, Set
from knarr.kernel.nftreading import Expression, expression
from knarr.network.obstacles import Fate, Packet, fate
from knarr.network.ruleset import MARK

PACKET = Packet(
    family=nft.IPV4,
    protocol="tcp",
    port=80,
    address=ip_address("172.17.0.2"),
    uplink=(2, "eth0"),
    redirected=True,
    mark=MARK,
)
Rule = tuple[bytes, ...]
SOME = Set(name="some", key=(nft.SERVICE,))

DROP = (nft.verdict("drop"),)
ACCEPT = (nft.verdict("accept"),)
RETURN = (nft.verdict("return"),)
TO_80 = (nft.payload("th dport"), nft.equals((80).to_bytes(2, "big")))
TO_81 = (nft.payload("th dport"), nft.equals((81).to_bytes(2, "big")))
NOT_TO_80 = (nft.payload("th dport"), nft.differs((80).to_bytes(2, "big")))
TCP = (nft.meta("l4proto"), nft.equals(b"\x06"))
FROM_UPLINK = (nft.meta("iifname"), nft.equals(nft.interface_key("eth0")))
FROM_ELSEWHERE = (nft.meta("iifname"), nft.equals(nft.interface_key("wg0")))
FROM_SOMEBODY = (nft.payload("ip saddr"), nft.equals(bytes((192, 0, 2, 1))))
TO_172 = (nft.payload("ip daddr", size=1), nft.equals(bytes((172,))))
IN_A_SET = (nft.payload("th dport"), nft.lookup(SOME))


def read(*rule: bytes) -> list[Expression]:
    return [expression(each) for each in rule]


def outcome(*rules: Rule, drops: bool = False, **chains: tuple[Rule, ...]) -> Fate:
    chain = BaseChain(
        family=nft.INET, table="fw", name="base", hook=nft.FORWARD, priority=0, drops=drops
    )
    every = {"base": rules, **chains}
    return fate(
        chain, {name: [read(*rule) for rule in found] for name, found in every.items()}, PACKET
    )


@pytest.mark.parametrize(
    ("rules", "expected"),
    [
        ([], Fate.LET_THROUGH),
        ([DROP], Fate.DROPPED),
        ([(*TCP, *TO_80, *DROP)], Fate.DROPPED),
        ([(*TO_81, *DROP)], Fate.LET_THROUGH),
        ([(*NOT_TO_80, *DROP)], Fate.LET_THROUGH),
        ([(*TO_172, *DROP)], Fate.DROPPED),
        ([(*FROM_UPLINK, *DROP)], Fate.DROPPED),
        ([(*FROM_ELSEWHERE, *DROP)], Fate.LET_THROUGH),
        ([(*FROM_ELSEWHERE, *ACCEPT), DROP], Fate.DROPPED),
        ([(*TO_80, *ACCEPT), DROP], Fate.LET_THROUGH),
        ([(*nft.mark_has(MARK), *ACCEPT), DROP], Fate.LET_THROUGH),
        ([(*nft.connection_state("established"), *ACCEPT), DROP], Fate.DROPPED),
        ([(*nft.connection_state("new"), *DROP)], Fate.DROPPED),
        ([(*nft.was_redirected(), *ACCEPT), DROP], Fate.LET_THROUGH),
        ([(*FROM_SOMEBODY, *DROP)], Fate.OPEN),
        ([(*FROM_SOMEBODY, *ACCEPT), DROP], Fate.OPEN),
        ([(*IN_A_SET, *DROP)], Fate.OPEN),
        ([(*IN_A_SET, *TO_81, *DROP)], Fate.LET_THROUGH),
        ([(nft.masquerade(),), DROP], Fate.LET_THROUGH),
    ],
)  # fmt: skip
def test_only_what_is_sure_is_said(rules: list[Rule], expected: Fate) -> None:
    assert outcome(*rules) is expected


def test_the_policy_has_the_last_word() -> None:
    assert outcome(drops=True) is Fate.DROPPED
    assert outcome((*TO_80, *ACCEPT), drops=True) is Fate.LET_THROUGH
    assert outcome((*FROM_SOMEBODY, *ACCEPT), drops=True) is Fate.OPEN


def test_other_chains_are_followed() -> None:
    jump, goto = (nft.verdict("jump", "more"),), (nft.verdict("goto", "more"),)
    assert outcome(jump, more=(DROP,)) is Fate.DROPPED
    assert outcome(jump, DROP, more=((*TO_80, *RETURN), ACCEPT)) is Fate.DROPPED
    assert outcome(jump, DROP, more=(ACCEPT,)) is Fate.LET_THROUGH
    assert outcome(goto, DROP, more=((*TO_81, *ACCEPT),)) is Fate.LET_THROUGH  # never comes back
    assert outcome(RETURN, DROP) is Fate.LET_THROUGH
    assert outcome((*FROM_SOMEBODY, *jump), more=((*TO_81, *DROP),)) is Fate.LET_THROUGH
    assert outcome((*FROM_SOMEBODY, *jump), more=(DROP,)) is Fate.OPEN


def test_chains_that_go_round_in_circles_end() -> None:
    assert outcome((nft.verdict("jump", "base"),)) is Fate.OPEN
