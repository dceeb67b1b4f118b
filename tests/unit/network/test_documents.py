from ipaddress import ip_address, ip_network

import pytest

from knarr.network.documents import usage
from knarr.network.model import Subnet
from knarr.spec.docker.network import SubnetStatus


@pytest.mark.parametrize(
    ("subnet", "taken", "in_use", "left"),
    [
        ("10.9.0.0/24", [], 3, 253),  # the network, its broadcast address and the gateway
        ("10.9.0.0/24", ["10.9.0.2", "10.9.0.3", "192.0.2.1"], 5, 251),
        ("fd00::/64", ["fd00::2"], 3, 2**64 - 3),
        ("fd00::/48", [], 2, 2**64 - 1),
    ],
)
def test_how_full_a_subnet_is(subnet: str, taken: list[str], in_use: int, left: int) -> None:
    whole = ip_network(subnet)
    status = usage(
        Subnet(range=whole, pool=whole, gateway=whole.network_address + 1),
        [ip_address(each) for each in taken],
    )
    assert status == SubnetStatus(ips_in_use=in_use, dynamic_ips_available=left)


def test_addresses_come_from_the_pool_alone() -> None:
    subnet = Subnet(
        range=ip_network("10.9.0.0/16"),
        pool=ip_network("10.9.1.0/24"),
        gateway=ip_address("10.9.0.1"),
        reserved={"printer": ip_address("10.9.1.7")},
    )
    assert usage(subnet, [ip_address("10.9.1.1")]) == SubnetStatus(
        ips_in_use=5, dynamic_ips_available=254
    )
