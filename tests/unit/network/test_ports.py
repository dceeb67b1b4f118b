"""Which container has which port of the host."""

import socket
from ipaddress import ip_address

import pytest

from knarr.ids import ContainerId
from knarr.network.model import PortRequest
from knarr.network.ports import PortTable, PortTaken

ONE, TWO, THREE = (ContainerId(digit * 64) for digit in "123")
TARGETS = (ip_address("172.17.0.2"), ip_address("fd00::2"))
LOOPBACK = (ip_address("127.0.0.1"), ip_address("::1"))
ANY = PortRequest(container_port=80)


def _wish(port: int) -> PortRequest:
    return PortRequest(container_port=80, first=port, last=port)


def test_a_refusal_knows_the_container_that_has_the_port() -> None:
    table = PortTable()
    port = table.claim(ONE, [ANY], TARGETS, LOOPBACK)[0].host_port
    with pytest.raises(PortTaken) as refused:
        table.claim(TWO, [_wish(port)], TARGETS, LOOPBACK)
    assert refused.value.holder == ONE
    table.release(ONE)
    assert table.claim(TWO, [_wish(port)], TARGETS, LOOPBACK)
    table.close()


def test_an_address_that_is_given_back_is_free_for_others() -> None:
    table = PortTable()
    four, _ = table.claim(ONE, [ANY], TARGETS, LOOPBACK)
    table.replace(ONE, [four])
    (six,) = table.claim(TWO, [_wish(four.host_port)], TARGETS[1:], LOOPBACK)
    assert six.host_ip == LOOPBACK[1]
    with pytest.raises(PortTaken) as refused:
        table.claim(THREE, [_wish(four.host_port)], TARGETS[:1], LOOPBACK)
    assert refused.value.holder == ONE
    table.close()


def test_containers_of_one_group_have_a_port_together_and_strangers_do_not() -> None:
    table = PortTable()
    free = table.claim(THREE, [ANY], TARGETS, LOOPBACK)[0].host_port
    table.release(THREE)
    table.claim(ONE, [_wish(free)], TARGETS, LOOPBACK, "app/web")
    table.claim(TWO, [_wish(free)], TARGETS, LOOPBACK, "app/web")
    for group in ("", "app/db"):
        with pytest.raises(PortTaken):
            table.claim(THREE, [_wish(free)], TARGETS, LOOPBACK, group)
    table.close()


def test_a_shared_port_is_held_until_the_last_one_goes() -> None:
    table = PortTable()
    free = table.claim(THREE, [ANY], TARGETS, LOOPBACK)[0].host_port
    table.release(THREE)
    for each in (ONE, TWO):
        table.claim(each, [_wish(free)], TARGETS, LOOPBACK, "app/web")
    table.release(ONE)
    with pytest.raises(OSError), socket.socket() as other:  # noqa: PT011
        other.bind(("127.0.0.1", free))
    table.release(TWO)
    with socket.socket() as other:
        other.bind(("127.0.0.1", free))


def test_a_container_does_not_share_with_itself_and_ranges_are_chosen_from() -> None:
    table = PortTable()
    free = table.claim(THREE, [ANY], TARGETS, LOOPBACK)[0].host_port
    table.release(THREE)
    with pytest.raises(PortTaken):
        table.claim(ONE, [_wish(free), _wish(free)], TARGETS, LOOPBACK, "app/web")
    assert not list(table.all())
    run = PortRequest(container_port=80, first=free, last=free + 200)
    one = table.claim(ONE, [run], TARGETS, LOOPBACK, "app/web")[0]
    two = table.claim(TWO, [run], TARGETS, LOOPBACK, "app/web")[0]
    assert one.host_port != two.host_port
    assert not one.group
    table.close()
