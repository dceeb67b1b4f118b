"""What `network create` asks for, and what it is refused."""

from ipaddress import ip_address, ip_network

import pytest

from knarr.errors import Forbidden, InvalidArgument, KnarrError, NotFound
from knarr.ids import NetworkId
from knarr.network.creation import Facts, inherited, new_network
from knarr.network.documents import document_of, network_of
from knarr.network.ipam import local_range
from knarr.network.model import Network
from knarr.network.selection import matches
from knarr.spec import decode, encode
from knarr.spec.docker.network import IPAM, IPAMConfig, NetworkCreate
from knarr.spec.docker.network import Network as NetworkDocument

OURS = [ip_network("172.17.0.0/16"), ip_network("fd00:1::/64")]


def facts() -> Facts:
    return Facts(
        id=NetworkId("ab" * 32),
        now_ns=1_700_000_000_000_000_000,
        busy=[*OURS, ip_network("172.18.0.0/24")],
        ours=OURS,
        local_range=local_range(b"here"),
    )


def made(config: IPAMConfig | None = None, **fields: object) -> Network:
    ipam = IPAM(config=(config,)) if config else None
    return new_network(NetworkCreate(name="net", ipam=ipam, **fields), facts())  # type: ignore[arg-type]


def test_nothing_said_means_a_bridge_with_the_first_free_subnet() -> None:
    network = made()
    assert (network.driver, network.enable_ipv4, network.enable_ipv6) == ("bridge", True, False)
    (subnet,) = network.subnets
    assert str(subnet.range) == "172.19.0.0/16"
    assert str(subnet.gateway) == "172.19.0.1"


def test_ipv6_without_a_subnet_gets_a_local_one() -> None:
    six = made(enable_ipv6=True).subnets[1]
    assert six.range.network_address in local_range(b"here")
    assert six.range.prefixlen == 64


def test_ipv4_can_be_switched_off_but_not_both() -> None:
    assert [each.range.version for each in made(enable_ipv4=False, enable_ipv6=True).subnets] == [6]
    with pytest.raises(InvalidArgument, match="IPv4 or IPv6 must be enabled"):
        made(enable_ipv4=False)


def test_a_subnet_as_given() -> None:
    config = IPAMConfig(
        subnet="10.1.2.3/16",
        ip_range="10.1.128.0/17",
        auxiliary_addresses={"a": "10.1.128.1"},
    )
    (subnet,) = made(config).subnets
    assert str(subnet.range) == "10.1.0.0/16"
    assert str(subnet.pool) == "10.1.128.0/17"
    assert subnet.gateway == ip_address("10.1.128.0")
    assert subnet.reserved == {"a": ip_address("10.1.128.1")}


@pytest.mark.parametrize(
    ("config", "words"),
    [
        (IPAMConfig(subnet="nonsense"), "invalid subnet"),
        (IPAMConfig(subnet="10.0.0.1"), "invalid subnet 10.0.0.1 : invalid CIDR address"),
        (IPAMConfig(subnet="10.0.0.0/24", ip_range="10.0.0.8"), "invalid ip-range"),
        (IPAMConfig(subnet="10.0.0.0/24", gateway="10.0.1.1"), "parent subnet is"),
        (IPAMConfig(subnet="10.0.0.0/24", ip_range="10.0.1.0/28"), "ip-range"),
        (IPAMConfig(subnet="10.0.0.0/24", auxiliary_addresses={"a": "1.1.1.1"}), "auxiliary"),
        (IPAMConfig(gateway="10.0.0.1"), "need a --subnet"),
    ],
)
def test_subnets_that_cannot_be(config: IPAMConfig, words: str) -> None:
    with pytest.raises(InvalidArgument, match=words):
        made(config)


@pytest.mark.parametrize(
    ("fields", "kind", "words"),
    [
        ({"name": ""}, InvalidArgument, "name is empty"),
        ({"name": "host"}, Forbidden, "operation is not permitted on predefined host network"),
        ({"name": "x", "driver": "host"}, Forbidden, 'only one instance of "host" network'),
        ({"name": "x", "driver": "weave"}, NotFound, 'plugin "weave" not found'),
        ({"name": "x", "scope": "swarm"}, InvalidArgument, "swarm"),
        (
            {"name": "x", "options": {"com.docker.network.bridge.name": "a" * 16}},
            InvalidArgument,
            "invalid bridge name",
        ),
        (
            {"name": "x", "options": {"com.docker.network.driver.mtu": "big"}},
            InvalidArgument,
            "invalid MTU",
        ),
        (
            {"name": "x", "options": {"com.docker.network.bridge.enable_icc": "maybe"}},
            InvalidArgument,
            "enable_icc",
        ),
    ],
)
def test_networks_that_cannot_be(
    fields: dict[str, object], kind: type[KnarrError], words: str
) -> None:
    with pytest.raises(kind, match=words):
        new_network(NetworkCreate(**fields), facts())  # type: ignore[arg-type]


def test_a_template_is_written_down_and_taken_over() -> None:
    config = IPAMConfig(subnet="172.17.0.0/24")  # one of ours: a template takes nothing
    template = made(config, config_only=True, options={"com.docker.network.driver.mtu": "1400"})
    body = inherited(NetworkCreate(name="real", labels={"a": "b"}), template)
    assert body.ipam is not None
    assert body.ipam.config[0].subnet == "172.17.0.0/24"
    assert body.options == {"com.docker.network.driver.mtu": "1400"}
    with pytest.raises(Forbidden, match="user specified configurations are not supported"):
        inherited(NetworkCreate(name="x", options={"a": "b"}), template)
    with pytest.raises(Forbidden, match="is not a configuration network"):
        inherited(NetworkCreate(name="x"), made())


def test_an_explicit_subnet_may_not_be_one_of_ours() -> None:
    with pytest.raises(Forbidden, match="Pool overlaps with other one on this address space"):
        made(IPAMConfig(subnet="172.17.5.0/24"))


def test_a_network_survives_its_document() -> None:
    config = IPAMConfig(subnet="10.1.0.0/16", auxiliary_addresses={"a": "10.1.0.9"})
    network = made(config, enable_ipv6=True, labels={"a": "b"}, internal=True)
    document = decode(encode(document_of(network)), NetworkDocument)
    assert network_of(document, created_ns=network.created_ns) == network


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        ({}, True),
        ({"name": ["ne"]}, True),
        ({"name": ["other", "net"]}, True),
        ({"name": ["other"]}, False),
        ({"label": ["a"]}, True),
        ({"label": ["a=b", "c"]}, False),
        ({"label!": ["a"]}, False),
        ({"driver": ["bridge"], "type": ["builtin"]}, False),
        ({"dangling": ["true"]}, True),
        ({"until": ["1h"]}, True),
        ({"until": ["1600000000"]}, False),
    ],
)
def test_filters(filters: dict[str, list[str]], expected: bool) -> None:
    assert matches(made(labels={"a": "b"}), filters, in_use=False) is expected


def test_filters_that_there_are_not() -> None:
    for filters in ({"colour": ["red"]}, {"type": ["odd"]}, {"dangling": ["perhaps"]}):
        with pytest.raises(InvalidArgument, match="invalid filter"):
            matches(made(), filters, in_use=False)
