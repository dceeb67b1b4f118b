import pytest

from knarr.errors import InvalidArgument
from knarr.ids import ContainerId
from knarr.network.hosts import extra_hosts, hosts_text
from knarr.network.model import Member, Plugged
from knarr.network.resolv import (
    ResolvConf,
    Wishes,
    default_network_text,
    host_network_text,
    own_network_text,
)
from knarr.spec.docker.container import EndpointSettings

HOST = ResolvConf.parse(
    "# by hand\nnameserver 127.0.0.53\nnameserver 10.0.0.53\nsearch corp.example\n"
    "options timeout:2\noptions edns0\n"
)


def member(hostname: str = "web", domainname: str = "") -> Member:
    return Member(id=ContainerId("ab" * 32), name="c", hostname=hostname, domainname=domainname)


def plugged(**addresses: str) -> Plugged:
    return Plugged(
        networks={name: EndpointSettings(ip_address=text) for name, text in addresses.items()}
    )


def test_hosts_names_loopback_extra_hosts_and_each_network() -> None:
    text = hosts_text(
        member(),
        plugged(front="172.18.0.2", back="172.19.0.2"),
        extra=["db:10.0.0.5", "host.docker.internal:host-gateway"],
        gateways=["172.17.0.1"],
    )
    lines = text.splitlines()
    assert lines[0] == "127.0.0.1\tlocalhost"
    assert lines[-4:] == [
        "10.0.0.5\tdb",
        "172.17.0.1\thost.docker.internal",
        "172.18.0.2\tweb",
        "172.19.0.2\tweb",
    ]


def test_a_name_with_a_domain_is_known_in_both_forms() -> None:
    assert hosts_text(member("web", "example.org"), plugged(a="10.0.0.2")).endswith(
        "10.0.0.2\tweb.example.org web\n"
    )
    assert hosts_text(member("web.example.org"), plugged(a="10.0.0.2")).endswith(
        "10.0.0.2\tweb.example.org web\n"
    )


def test_extra_hosts_take_ipv6_in_every_spelling() -> None:
    given = ["a:::1", "b:[2001:db8::1]", "c=2001:db8::2", "d=[2001:db8::3]"]
    assert extra_hosts(given, ()) == [
        ("a", "::1"), ("b", "2001:db8::1"), ("c", "2001:db8::2"), ("d", "2001:db8::3"),
    ]  # fmt: skip


@pytest.mark.parametrize("entry", ["nothing", "name:", ":1.2.3.4", "name:300.1.1.1"])
def test_extra_hosts_that_are_none_are_refused(entry: str) -> None:
    with pytest.raises(InvalidArgument, match="add-host"):
        extra_hosts([entry], ())


def test_resolv_conf_is_read_as_the_resolver_reads_it() -> None:
    assert HOST.nameservers == ("127.0.0.53", "10.0.0.53")
    assert HOST.search == ("corp.example",)
    assert HOST.options == ("timeout:2", "edns0")
    assert ResolvConf.parse("nameserver 127.0.0.53\n").is_stub
    assert not HOST.is_stub


def test_the_default_bridge_gets_the_hosts_servers_but_not_its_loopback() -> None:
    assert default_network_text(HOST, Wishes()) == (
        "nameserver 10.0.0.53\nsearch corp.example\noptions timeout:2 edns0\n"
    )


def test_with_nothing_reachable_left_public_servers_are_named() -> None:
    only_loopback = ResolvConf.parse("nameserver 127.0.0.1\nnameserver ::1\n")
    assert "nameserver 8.8.8.8\n" in default_network_text(only_loopback, Wishes())


def test_wishes_take_the_place_of_the_hosts() -> None:
    wishes = Wishes(servers=("1.1.1.1",), search=("a", "b"), options=("ndots:2",))
    expected = "nameserver 1.1.1.1\nsearch a b\noptions ndots:2\n"
    assert default_network_text(HOST, wishes) == expected
    assert host_network_text(HOST, wishes) == expected
    assert own_network_text(HOST, wishes) == expected.replace("1.1.1.1", "127.0.0.11")


def test_on_own_networks_a_plain_name_is_asked_as_it_is() -> None:
    assert "options timeout:2 edns0 ndots:0\n" in own_network_text(HOST, Wishes())


def test_a_search_list_of_a_dot_alone_is_none() -> None:
    assert "search" not in default_network_text(HOST, Wishes(search=(".",)))
