from ipaddress import ip_address, ip_interface, ip_network

from knarr.ids import EndpointId, NetworkId
from knarr.network import ruleset
from knarr.network.model import Network, PublishedPort, Subnet
from knarr.network.plan import Names, bridge_plan, mtu_of, port_entries


def network(**changes: object) -> Network:
    fields: dict[str, object] = {
        "id": NetworkId("ab" * 32),
        "name": "net",
        "driver": "bridge",
        "created_ns": 1,
        "subnets": (
            Subnet(
                range=ip_network("172.18.0.0/16"),
                pool=ip_network("172.18.0.0/16"),
                gateway=ip_address("172.18.0.1"),
            ),
        ),
    }
    return Network(**{**fields, **changes})  # type: ignore[arg-type]


def port(host_port: int, container_port: int, host_ip: str = "0.0.0.0") -> PublishedPort:
    return PublishedPort(
        protocol="tcp",
        host_ip=ip_address(host_ip),
        host_port=host_port,
        target=ip_address("172.18.0.2"),
        container_port=container_port,
    )


def test_names_fit_the_kernel_and_differ_between_engines() -> None:
    one, other = Names.of("/run/knarr"), Names.of("/tmp/x")
    assert (one.table, one.default_bridge) == ("knarr", "knarr0")
    assert one.table != other.table
    assert len(other.default_bridge) <= 15
    link = one.link(EndpointId("cd" * 32))
    assert len(link) == 15
    assert one.is_ours(link)
    assert not other.is_ours(link)
    assert not one.is_ours("knarr0")
    assert one.bridge(network(options={"com.docker.network.bridge.name": "mine"})) == "mine"


def test_a_bridge_has_the_gateways_address_and_its_traffic_is_masqueraded() -> None:
    plan = bridge_plan(network(), Names.of("/run/knarr"), mtu=1500)
    assert plan.addresses == (ip_interface("172.18.0.1/16"),)
    assert {entry[0].name for entry in plan.entries} == {
        "bridges", "within", "local4", "masqueraded4",
    }  # fmt: skip


def test_an_internal_network_is_marked_so_and_never_masqueraded() -> None:
    plan = bridge_plan(network(internal=True), Names.of("/run/knarr"), mtu=1500)
    names = {entry[0].name for entry in plan.entries}
    assert "internal" in names
    assert "masqueraded4" not in names


def test_masquerading_can_be_switched_off() -> None:
    options = {"com.docker.network.bridge.enable_ip_masquerade": "false"}
    plan = bridge_plan(network(options=options), Names.of("/run/knarr"), mtu=1500)
    assert "masqueraded4" not in {entry[0].name for entry in plan.entries}


def test_the_mtu_is_the_options_or_what_the_uplink_carries() -> None:
    assert mtu_of(network(options={"com.docker.network.driver.mtu": "9000"}), uplink=1400) == 9000
    assert mtu_of(network(), uplink=1400) == 1400
    assert mtu_of(network(), uplink=9000) == 1500
    assert mtu_of(network(), uplink=0) == 1500


def test_ten_thousand_ports_in_a_row_are_one_element() -> None:
    entries = port_entries(port(number, number) for number in range(10000, 20000))
    assert [entry[0] for entry in entries] == [ruleset.RANGES4]
    element = entries[0][1]
    assert element.key == bytes.fromhex("000000000600000027100000")
    assert element.last == bytes.fromhex("ffffffff060000004e1f0000")
    assert element.data == bytes((172, 18, 0, 2))


def test_ports_that_change_their_number_are_elements_of_their_own() -> None:
    entries = port_entries(port(8000 + number, 80 + number) for number in range(10))
    assert [entry[0] for entry in entries] == [ruleset.PORTS4] * 10


def test_a_port_at_one_address_is_looked_up_with_it() -> None:
    ((set_, element),) = port_entries([port(8080, 80, "127.0.0.1")])
    assert set_ is ruleset.PORTS4_AT
    assert element.key == bytes.fromhex("7f000001060000001f900000")
    assert element.data == bytes.fromhex("ac12000200500000")
