from ipaddress import IPv4Address, IPv4Network, IPv6Network, ip_address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from knarr.errors import Conflict, Forbidden, InvalidArgument
from knarr.network.ipam import DEFAULT_POOLS, Pool, free_subnet, local_range, mac_of, overlap
from knarr.network.model import Subnet

SMALL = IPv4Network("10.0.0.0/28")


def pool(range_: str = "10.0.0.0/28", within: str = "", gateway: str = "10.0.0.1") -> Pool:
    whole = ip_network(range_)
    return Pool(
        Subnet(
            range=whole,
            pool=ip_network(within) if within else whole,
            gateway=ip_address(gateway),
        )
    )


def test_the_lowest_free_address_comes_first_and_the_gateway_never() -> None:
    addresses = pool()
    assert [str(addresses.take()) for _ in range(3)] == ["10.0.0.2", "10.0.0.3", "10.0.0.4"]
    addresses.give_back(IPv4Address("10.0.0.3"))
    assert str(addresses.take()) == "10.0.0.3"
    assert str(addresses.take()) == "10.0.0.5"


def test_a_range_narrows_what_is_handed_out_but_not_what_may_be_asked_for() -> None:
    addresses = pool(within="10.0.0.8/30")
    assert str(addresses.take()) == "10.0.0.8"
    assert str(addresses.take(IPv4Address("10.0.0.3"))) == "10.0.0.3"


def test_what_is_taken_or_outside_is_refused() -> None:
    addresses = pool()
    addresses.take(IPv4Address("10.0.0.9"))
    for wanted in ("10.0.0.9", "10.0.0.1"):
        with pytest.raises(Forbidden, match="Address already in use"):
            addresses.take(IPv4Address(wanted))
    with pytest.raises(InvalidArgument, match=r"no configured subnet contains"):
        addresses.take(IPv4Address("10.0.1.1"))


def test_a_full_pool_says_so_and_works_again_after_one_came_back() -> None:
    addresses = pool()
    taken = [addresses.take() for _ in range(13)]
    with pytest.raises(Conflict, match="no available addresses"):
        addresses.take()
    addresses.give_back(taken[5])
    assert addresses.take() == taken[5]


def test_ipv6_hands_out_its_last_address_too() -> None:
    addresses = pool("fd00::/126", gateway="fd00::1")
    assert [str(addresses.take()) for _ in range(2)] == ["fd00::2", "fd00::3"]


@given(st.lists(st.one_of(st.none(), st.integers(0, 20)), max_size=60))
def test_no_address_is_handed_out_twice_whatever_is_taken_and_given_back(
    steps: list[int | None],
) -> None:
    addresses, held = pool(), set[IPv4Address]()
    for step in steps:
        if step is None:
            try:
                address = addresses.take()
            except Conflict:
                assert len(held) == 13
                continue
            assert address not in held
            assert address in SMALL
            held.add(IPv4Address(str(address)))
        elif held:
            chosen = sorted(held)[step % len(held)]
            held.remove(chosen)
            addresses.give_back(chosen)
    assert len(addresses) == len(held)


def test_subnets_are_chosen_beside_what_is_there() -> None:
    assert free_subnet([], DEFAULT_POOLS) == IPv4Network("172.17.0.0/16")
    busy = [IPv4Network("172.16.0.0/15"), IPv4Network("172.18.5.0/24"), IPv4Network("10.0.0.0/8")]
    assert free_subnet(busy, DEFAULT_POOLS) == IPv4Network("172.19.0.0/16")
    busy = [IPv4Network("172.16.0.0/12"), IPv4Network("192.168.1.0/24")]
    assert free_subnet(busy, DEFAULT_POOLS) == IPv4Network("192.168.16.0/20")


def test_when_all_subnets_are_in_use_it_is_said() -> None:
    busy = [IPv4Network("172.16.0.0/12"), IPv4Network("192.168.0.0/16")]
    with pytest.raises(InvalidArgument, match="all predefined address pools have been fully"):
        free_subnet(busy, DEFAULT_POOLS)


@given(
    st.integers(0, 2**16 - 1), st.integers(16, 32), st.integers(0, 2**16 - 1), st.integers(16, 32)
)
def test_overlap_agrees_with_the_addresses_in_both(
    one: int, one_prefix: int, other: int, other_prefix: int
) -> None:
    base = int(IPv4Address("10.1.0.0"))
    left = IPv4Network((base + one, one_prefix), strict=False)
    right = IPv4Network((base + other, other_prefix), strict=False)
    assert overlap(left, right) == left.overlaps(right)


def test_local_ranges_are_the_same_for_the_same_engine() -> None:
    assert local_range(b"a") == local_range(b"a") != local_range(b"b")
    assert local_range(b"a").subnet_of(IPv6Network("fd00::/8"))


def test_mac_addresses_follow_the_address() -> None:
    assert mac_of(IPv4Address("172.17.0.2")) == "02:42:ac:11:00:02"
