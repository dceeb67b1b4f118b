"""Each field of an endpoint in ``NetworkingConfig``: what becomes of the container's network."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from knarr.spec.docker.container import NetworkingConfig
from support.daemon import Daemon
from support.effects import Box, Boxes, Json, Refused, Row, fields, refused

pytestmark = pytest.mark.needs("root", "namespaces", "overlay", "docker", "busybox")

FRONT, BACK = "field-front", "field-back"
NETWORKS: dict[str, Json] = {
    FRONT: {"EnableIPv6": True, "IPAM": {"Config": [
        {"Subnet": "10.213.77.0/24"}, {"Subnet": "fd00:213:77::/64"}]}},
    BACK: {"IPAM": {"Config": [{"Subnet": "10.213.78.0/24"}]}},
}  # fmt: skip
INTERFACE = "com.docker.network.endpoint.ifname"
SYSCTLS = "com.docker.network.endpoint.sysctls"


def front(**settings: object) -> Json:
    return {"NetworkingConfig": {"EndpointsConfig": {FRONT: settings}}}


def back(**settings: object) -> Json:
    return {"NetworkingConfig": {"EndpointsConfig": {BACK: settings}}}


def inside(script: str) -> Callable[[Box], object]:
    return lambda box: box.inside(script)


def address(text: str) -> Callable[[Box], object]:
    return lambda box: f" {text} " in box.inside("ip addr show front0")


def told(network: str, name: str) -> Callable[[Box], Any]:
    """What inspect says of an endpoint."""
    return lambda box: box.told["NetworkSettings"]["Networks"][network][name]


def network_id(box: Box) -> bool:
    known = box.daemon.ask("GET", f"/networks/{BACK}")["Id"]
    return bool(told(BACK, "NetworkID")(box) == known)


def beside(box: Box) -> object:
    """The page of a neighbour, by the name that a link gives it."""
    assert not box.beside["neighbour"].failure
    return box.inside("wget -qO- http://short:8000/")


ROWS = [
    Row(front(IPAMConfig={"IPv4Address": "10.213.77.7"}), address("10.213.77.7/24")),
    Row(front(IPAMConfig={"IPv6Address": "fd00:213:77::7"}), address("fd00:213:77::7/64")),
    Row(front(IPAMConfig={"LinkLocalIPs": ["169.254.77.7"]}), address("169.254.77.7/16")),
    Row(front(MacAddress="02:42:ac:11:00:77"), inside("cat /sys/class/net/front0/address"),
        "02:42:ac:11:00:77"),
    Row(front(DriverOpts={INTERFACE: "front0"}), inside("test -e /sys/class/net/front0 && echo y"),
        "y"),
    Row(front(DriverOpts={SYSCTLS: "net.ipv4.conf.IFNAME.log_martians=1,"
                                   "net.ipv6.conf.IFNAME.accept_ra=2"}),
        inside("cat /proc/sys/net/ipv4/conf/front0/log_martians"
               " /proc/sys/net/ipv6/conf/front0/accept_ra"), "1\n2"),
    Row(front(Aliases=["likewise"]),
        lambda box: box.beside["neighbour"].inside("wget -qO- http://likewise:8000/"), "plain"),
    Row(front(Links=["field-neighbour:short"]), beside, "neighbour"),
    Row(back(GwPriority=10), lambda box: "dev eth0" in box.inside("ip route show default")),
    # What only the engine knows is not taken from a client.
    Row(back(NetworkID="of the client"), network_id),
    Row(back(EndpointID="of the client"), lambda box: len(told(BACK, "EndpointID")(box)), 64),
    Row(back(Gateway="192.0.2.1"), told(BACK, "Gateway"), "10.213.78.1"),
    Row(back(IPAddress="192.0.2.2"), lambda box: told(BACK, "IPAddress")(box).split(".")[:3],
        ["10", "213", "78"]),
    Row(back(IPPrefixLen=7), told(BACK, "IPPrefixLen"), 24),
    Row(back(IPv6Gateway="fd00::1"), told(BACK, "IPv6Gateway"), ""),
    Row(back(GlobalIPv6Address="fd00::2"), told(BACK, "GlobalIPv6Address"), ""),
    Row(back(GlobalIPv6Address="fd00::2"), lambda box: "fd00::2" in box.inside("ip addr"), False),
    Row(back(GlobalIPv6PrefixLen=7), told(BACK, "GlobalIPv6PrefixLen"), 0),
    Row(back(DNSNames=["their"]), lambda box: "their" in told(BACK, "DNSNames")(box), False),
]  # fmt: skip

REFUSED = [
    Refused(front(IPAMConfig={"IPv4Address": "192.0.2.7"}), 400, "no configured subnet"),
    Refused(front(IPAMConfig={"IPv4Address": "x"}), 400, "invalid IPv4 address: x"),
    Refused(front(IPAMConfig={"LinkLocalIPs": ["10.0.0.1"]}), 400, "invalid link-local IP"),
    Refused(front(MacAddress="02:42"), 400, "invalid MAC address: 02:42"),
    Refused(front(DriverOpts={SYSCTLS: "kernel.domainname=x"}), 400, "kernel.domainname=x"),
    Refused(front(DriverOpts={SYSCTLS: "net.ipv4.conf.eth0.log_martians=1"}), 400, "IFNAME"),
]


def test_settings_of_an_interface_come_with_a_start_alone(boxes: Boxes) -> None:
    box = boxes["neighbour"]
    wanted = {SYSCTLS: "net.ipv4.conf.IFNAME.log_martians=1"}
    body = {"Container": box.id, "EndpointConfig": {"DriverOpts": wanted}}
    status, answer = box.daemon.answer("POST", f"/networks/{BACK}/connect", body)
    assert status == 501
    assert b"start it again" in answer


@pytest.fixture(scope="module")
def networks(daemon: Daemon) -> Iterator[None]:
    for name, body in NETWORKS.items():
        daemon.ask("POST", "/networks/create", {"Name": name, **body})
    yield
    for name in NETWORKS:
        daemon.ask("DELETE", f"/networks/{name}")


def served(name: str) -> Json:
    """A container whose page is its name."""
    script = (
        f"mkdir /www; echo {name} >/www/index.html; httpd -p 8000 -h /www; echo ready; sleep 1000"
    )
    return {"Cmd": ["sh", "-c", script], "HostConfig": {"NetworkMode": FRONT}}


@pytest.fixture(scope="module")
def boxes(daemon: Daemon, networks: None) -> Iterator[Boxes]:
    boxes = Boxes(daemon, ROWS, {"plain": served("plain"), "neighbour": served("neighbour")})
    yield boxes
    boxes.remove()


@pytest.mark.parametrize("row", ROWS, ids=lambda row: "-".join(_settings(row.sent)))
def test_a_field_of_an_endpoint_has_its_effect(boxes: Boxes, row: Row) -> None:
    assert row.seen(boxes[row.box]) == row.expected


@pytest.mark.parametrize("row", REFUSED, ids=lambda row: row.words)
def test_an_endpoint_is_refused_in_words(daemon: Daemon, networks: None, row: Refused) -> None:
    body = {"Image": "busybox", "HostConfig": {"NetworkMode": FRONT}, **row.sent}
    answer = daemon.answer("POST", "/containers/create", body)
    assert refused(row, answer), answer


def test_no_field_of_an_endpoint_is_without_a_row() -> None:
    covered: set[str] = set()
    for row in ROWS:
        covered |= fields(NetworkingConfig, row.sent["NetworkingConfig"])
    assert fields(NetworkingConfig) == covered


def _settings(sent: Json) -> list[str]:
    [settings] = sent["NetworkingConfig"]["EndpointsConfig"].values()
    return [
        *settings,
        *(key for each in settings.values() if isinstance(each, dict) for key in each),
    ]
