"""The wire of rtnetlink and nf_tables: bytes as strace and `nft --debug=netlink` show them."""

import errno
import socket
import struct
from ipaddress import ip_address, ip_interface, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from knarr.kernel import netlink, nftables
from knarr.kernel.netlink import Netlink, Request


def test_an_attribute_is_padded_but_its_length_is_not() -> None:
    assert netlink.text(3, "eth0") == bytes.fromhex("0900 0300 6574683000 000000")
    assert netlink.u8(4, 1) == bytes.fromhex("0500 0400 01 000000")


@given(st.lists(st.tuples(st.integers(0, 0x3FFF), st.binary(max_size=40))))
def test_attributes_are_read_as_they_were_written(pairs: list[tuple[int, bytes]]) -> None:
    raw = b"".join(netlink.attribute(kind, payload) for kind, payload in pairs)
    assert list(netlink.attributes(raw)) == pairs


@given(st.binary(max_size=60))
def test_broken_attributes_end_the_reading(raw: bytes) -> None:
    list(netlink.attributes(raw))


def test_an_address_with_its_broadcast() -> None:
    request = netlink.add_address(2, ip_interface("172.17.0.2/16"))
    assert request.kind == 20
    assert request.body == bytes.fromhex(
        "02 10 00 00 02000000"  # AF_INET, /16, no flags, global, link 2
        "0800 0200 ac110002"  # IFA_LOCAL
        "0800 0100 ac110002"  # IFA_ADDRESS
        "0800 0400 ac11ffff"  # IFA_BROADCAST
    )


def test_an_ipv6_address_is_usable_at_once() -> None:
    body = netlink.add_address(2, ip_interface("fd00::2/64")).body
    assert body.endswith(bytes.fromhex("0800 0800 02000000"))  # IFA_FLAGS: no detection


def test_a_default_route_goes_by_its_gateway() -> None:
    request = netlink.set_default_route(ip_address("172.17.0.1"), link=2)
    assert request.body == bytes.fromhex(
        "02 00 00 00 fe 03 00 01 00000000"  # AF_INET, /0, main table, boot, universe, unicast
        "0800 0500 ac110001"  # RTA_GATEWAY
        "0800 0400 02000000"  # RTA_OIF
    )


def test_a_pair_names_its_other_end_and_the_namespace_that_it_is_in() -> None:
    request = netlink.add_veth(
        "kv0", bridge=7, mtu=1500, peer="eth0", peer_mac="02:42:ac:11:00:02", namespace=9
    )
    found = dict(netlink.attributes(request.body[16:]))
    assert found[10] == struct.pack("=I", 7)
    info = dict(netlink.attributes(found[18]))
    assert info[1] == b"veth\0"
    peer = dict(netlink.attributes(dict(netlink.attributes(info[2]))[1][16:]))
    assert peer[3] == b"eth0\0"
    assert peer[28] == struct.pack("=I", 9)
    assert peer[1] == bytes.fromhex("0242ac110002")


@pytest.mark.parametrize(("mode", "number"), [("l2", 0), ("l3", 1), ("l3s", 2)])
def test_ipvlan_has_a_mode_and_a_flag(mode: str, number: int) -> None:
    request = netlink.add_ipvlan("eth0", parent=3, mode=mode, flag="private", namespace=9)
    info = dict(netlink.attributes(dict(netlink.attributes(request.body[16:]))[18]))
    data = dict(netlink.attributes(info[2]))
    assert (data[1], data[2]) == (struct.pack("=H", number), struct.pack("=H", 1))


def test_what_is_no_mac_address_is_refused() -> None:
    assert netlink.mac_bytes("02-42-ac-11-00-02") == bytes.fromhex("0242ac110002")
    with pytest.raises(ValueError, match="02:42"):
        netlink.mac_bytes("02:42")


def test_a_range_of_one_part_is_a_first_key_and_an_end_mark() -> None:
    ports = nftables.Set(name="s", key=(nftables.IPV4_ADDRESS,), interval=True)
    net = ip_network("10.0.0.0/8")
    element = nftables.Element(net.network_address.packed, net.broadcast_address.packed)
    (request,) = nftables.add_elements("t", ports, [element])
    listed = dict(netlink.attributes(request.body[4:]))[3]
    assert listed == bytes.fromhex(
        "1000 0180 0c00 0180 0800 0100 0a000000"  # 10.0.0.0
        "1800 0180 0c00 0180 0800 0100 0b000000 0800 0300 00000001"  # 11.0.0.0: the end
    )


def test_a_range_up_to_the_last_value_needs_no_end() -> None:
    every = nftables.Set(name="s", key=(nftables.SERVICE,), interval=True)
    (request,) = nftables.add_elements("t", every, [nftables.Element(b"\0\0", b"\xff\xff")])
    assert len(list(netlink.attributes(dict(netlink.attributes(request.body[4:]))[3]))) == 1


def test_many_elements_are_split_into_messages_that_fit() -> None:
    ports = nftables.Set(name="s", key=(nftables.SERVICE,))
    elements = [nftables.Element(struct.pack(">H", number)) for number in range(10_000)]
    requests = nftables.add_elements("t", ports, elements)
    assert len(requests) == 25
    assert max(len(each.body) for each in requests) < 65_536


class FakeKernel:
    """Takes what is sent and answers with the datagrams it was given."""

    def __init__(self, *answers: bytes) -> None:
        self.sent: list[bytes] = []
        self._answers = list(answers)

    def setsockopt(self, *_: object) -> None: ...

    def setblocking(self, _: bool) -> None: ...

    def sendto(self, wire: bytes, _: object) -> None:
        self.sent.append(wire)

    def recv(self, _: int) -> bytes:
        return self._answers.pop(0)


def acknowledgement(sequence: int, code: int = 0, words: str = "") -> bytes:
    told = netlink.text(1, words) if words else b""
    flags = 0x100 | (0x200 if words else 0)
    body = struct.pack("=i", -code) + bytes(16) + told
    return struct.pack("=IHHII", 16 + len(body), 2, flags, sequence, 0) + body


def over(kernel: FakeKernel) -> Netlink:
    return Netlink(kernel)  # type: ignore[arg-type]


WISHES = [Request(16, b"", "one"), Request(16, b"", "two", accept=(errno.EEXIST,))]


def test_a_batch_is_one_datagram_and_asks_for_one_acknowledgement() -> None:
    kernel = FakeKernel(acknowledgement(2))
    over(kernel).act(WISHES)
    (wire,) = kernel.sent
    flags = [struct.unpack_from("=IHHII", wire, position)[2] for position in (0, 16)]
    assert flags == [0x1, 0x1 | 0x4]


def test_a_failure_is_told_in_the_kernels_own_words() -> None:
    kernel = FakeKernel(acknowledgement(1, errno.EINVAL, "No such thing"), acknowledgement(2))
    with pytest.raises(OSError, match=r"one: Invalid argument \(No such thing\)") as caught:
        over(kernel).act(WISHES)
    assert caught.value.errno == errno.EINVAL


def test_an_accepted_failure_is_none() -> None:
    over(FakeKernel(acknowledgement(2, errno.EEXIST))).act(WISHES)


def test_a_transaction_that_is_refused_as_a_whole_raises() -> None:
    kernel = FakeKernel(acknowledgement(1, errno.EPERM))
    edge = Request(16, b"", "all")
    with pytest.raises(PermissionError):
        over(kernel).transact(edge, WISHES, edge)


def test_a_real_kernel_says_what_is_not_there() -> None:
    kernel = Netlink.open(socket.NETLINK_ROUTE)
    with pytest.raises(OSError, match="look up link kn-not-there: No such device"):
        kernel.get(netlink.get_link("kn-not-there"))
    assert netlink.link_of(kernel.get(netlink.get_link("lo"))).index == 1
    kernel.close()
