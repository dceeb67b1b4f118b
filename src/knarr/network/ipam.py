"""Which addresses are free: within one subnet, and of whole subnets. Pure."""

import hashlib
from collections.abc import Iterable, Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from typing import Final

from knarr.errors import Conflict, Forbidden, InvalidArgument
from knarr.network.model import Address, AddressRange, Subnet

# Docker's default address pools: (range, prefix length of what is cut from it).
DEFAULT_POOLS: Final = (
    *((IPv4Network(f"172.{number}.0.0/16"), 16) for number in range(17, 32)),
    (IPv4Network("192.168.0.0/16"), 20),
)


class Pool:
    """The addresses of one subnet. The lowest that is free is handed out first."""

    def __init__(self, subnet: Subnet) -> None:
        self._subnet = subnet
        self._make: type[IPv4Address | IPv6Address] = (
            IPv4Address if subnet.range.version == 4 else IPv6Address
        )
        self._first, self._last = _hosts(subnet)
        self._reserved = {int(each) for each in subnet.reserved.values()}
        if subnet.gateway is not None:
            self._reserved.add(int(subnet.gateway))
        self._taken: set[int] = set()
        self._lowest = self._first  # nothing below it is free

    def take(self, wanted: Address | None = None) -> Address:
        """``wanted``, or any. Raises Forbidden when it is in use, Conflict when all are."""
        number = self._any() if wanted is None else self._checked(wanted)
        self._taken.add(number)
        return self._make(number)

    def give_back(self, address: Address) -> None:
        """Content when it was free."""
        number = int(address)
        self._taken.discard(number)
        if self._first <= number < self._lowest:
            self._lowest = number

    def __len__(self) -> int:
        """How many are taken."""
        return len(self._taken)

    @property
    def is_full(self) -> bool:
        return self._settled() > self._last

    def _any(self) -> int:
        number = self._settled()
        if number > self._last:
            raise Conflict(f"no available addresses on the pool {self._subnet.pool}")
        return number

    def _settled(self) -> int:
        """The lowest free number; beyond the last when there is none."""
        while self._lowest in self._taken or self._lowest in self._reserved:
            self._lowest += 1
        return self._lowest

    def _checked(self, wanted: Address) -> int:
        number = int(wanted)
        if wanted not in self._subnet.range:
            raise InvalidArgument(
                f"invalid endpoint settings:\nno configured subnet contains IP address {wanted}"
            )
        if number in self._taken or number in self._reserved:
            raise Forbidden("Address already in use")
        return number


def _hosts(subnet: Subnet) -> tuple[int, int]:
    """First and last number to hand out: without the network's own address and broadcast."""
    first, last = int(subnet.pool.network_address), int(subnet.pool.broadcast_address)
    whole = subnet.range
    if whole.num_addresses > 2:
        first = max(first, int(whole.network_address) + 1)
        if whole.version == 4:
            last = min(last, int(whole.broadcast_address) - 1)
    return first, last


def free_subnet(
    avoid: Sequence[AddressRange], pools: Sequence[tuple[AddressRange, int]] = DEFAULT_POOLS
) -> AddressRange:
    """The first subnet of ``pools`` that overlaps none of ``avoid``.

    Raises InvalidArgument when there is none. Only ranges of the pools' own version matter.
    """
    for pool, prefix in pools:
        rivals = [each for each in avoid if overlap(each, pool)]
        size = 1 << (pool.max_prefixlen - prefix)
        number, end = int(pool.network_address), int(pool.broadcast_address)
        while number < end:
            candidate = type(pool)((number, prefix))
            rival = next((each for each in rivals if overlap(each, candidate)), None)
            if rival is None:
                return candidate
            after = max(int(rival.broadcast_address), number) + 1
            number = -(-after // size) * size
    raise InvalidArgument("all predefined address pools have been fully subnetted")


def overlap(one: AddressRange, other: AddressRange) -> bool:
    return one.version == other.version and (
        int(one.network_address) <= int(other.broadcast_address)
        and int(other.network_address) <= int(one.broadcast_address)
    )


def covering(ranges: Iterable[AddressRange]) -> list[AddressRange]:
    """What of ``ranges`` stands against a new subnet: all but the default routes."""
    return [each for each in ranges if each.prefixlen > 0]


def local_range(seed: bytes) -> IPv6Network:
    """A unique local /48 that is the same for the same seed (RFC 4193)."""
    global_id = hashlib.sha256(b"knarr ula " + seed).digest()[:5]
    return IPv6Network((b"\xfd" + global_id + bytes(10), 48))


def mac_of(address: Address) -> str:
    """The MAC address that belongs to an address: the same container is never seen under two.

    Source: Docker's scheme, 02:42 and the four bytes of IPv4.
    """
    raw = address.packed if address.version == 4 else hashlib.sha256(address.packed).digest()[:4]
    return (b"\x02\x42" + raw).hex(":")
