import pytest

from knarr.cli.create.subnets import ipam_config
from knarr.errors import InvalidArgument


def test_what_belongs_to_a_subnet_is_found_by_its_address() -> None:
    found = ipam_config(
        ["10.1.0.0/16", "fd00:1::/64"],
        ["10.1.5.0/24"],
        ["fd00:1::9", "10.1.0.9"],
        {"router": "10.1.5.1"},
    )
    assert found == [
        {
            "Subnet": "10.1.0.0/16",
            "IPRange": "10.1.5.0/24",
            "Gateway": "10.1.0.9",
            "AuxiliaryAddresses": {"router": "10.1.5.1"},
        },
        {"Subnet": "fd00:1::/64", "Gateway": "fd00:1::9"},
    ]


@pytest.mark.parametrize(
    ("range_", "gateway", "reserved", "words"),
    [
        ("10.2.0.0/24", "", "", "no matching subnet for range 10.2.0.0/24"),
        ("10.1.0.0", "", "", "invalid CIDR address: 10.1.0.0"),
        ("", "10.2.0.1", "", "no matching subnet for gateway 10.2.0.1"),
        ("", "door", "", "no matching subnet for gateway door"),
        ("", "", "10.2.0.1", "no matching subnet for aux-address 10.2.0.1"),
    ],
)
def test_what_belongs_to_no_subnet_is_refused(
    range_: str, gateway: str, reserved: str, words: str
) -> None:
    with pytest.raises(InvalidArgument, match=words):
        ipam_config(
            ["10.1.0.0/16"],
            [range_] if range_ else [],
            [gateway] if gateway else [],
            {"a": reserved} if reserved else {},
        )
