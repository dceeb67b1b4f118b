"""Which container has which port of the host."""

from ipaddress import ip_address

import pytest

from knarr.ids import ContainerId
from knarr.network.model import PortRequest
from knarr.network.ports import PortTable, PortTaken

ONE, TWO = ContainerId("1" * 64), ContainerId("2" * 64)
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
    with pytest.raises(PortTaken) as refused:
        table.claim(TWO, [_wish(four.host_port)], TARGETS[1:], LOOPBACK)
    assert refused.value.holder is None  # the socket stays until the container goes
    table.release(ONE)
    assert table.claim(TWO, [_wish(four.host_port)], TARGETS, LOOPBACK)
    table.close()
