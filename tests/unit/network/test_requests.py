"""What a container's configuration asks of networks."""

import pytest

from knarr.errors import InvalidArgument, KnarrError
from knarr.network import endpoint_requests, network_mode, port_requests, ports_shown
from knarr.network.model import PortRequest
from knarr.network.requests import container_port
from knarr.spec.docker.container import (
    ContainerConfig,
    EndpointSettings,
    HostConfig,
    NetworkingConfig,
    PortBinding,
)


def networks(mode: str, *others: str) -> list[str]:
    config = NetworkingConfig(endpoints_config={name: EndpointSettings() for name in others})
    return [each.network for each in endpoint_requests(HostConfig(network_mode=mode), config)]


def test_the_modes_network_comes_first() -> None:
    assert networks("") == ["bridge"]
    assert networks("default") == ["bridge"]
    assert networks("back", "front", "back") == ["back", "front"]
    assert networks("container:abc") == []
    assert networks("none") == ["none"]
    assert network_mode(HostConfig()) == "bridge"


def test_what_was_said_of_the_modes_network_is_kept() -> None:
    given = EndpointSettings(aliases=("db",))
    config = NetworkingConfig(endpoints_config={"default": given})
    (request,) = endpoint_requests(HostConfig(), config)
    assert (request.network, request.settings) == ("bridge", given)


@pytest.mark.parametrize("mode", ["host", "none", "container:abc"])
def test_modes_of_their_own_do_not_mix(mode: str) -> None:
    with pytest.raises(KnarrError, match="conflicting options"):
        networks(mode, "front")


def test_ports_with_and_without_a_number() -> None:
    host = HostConfig(
        port_bindings={
            "80/tcp": (PortBinding(host_ip="127.0.0.1", host_port="8080"), PortBinding()),
            "53/udp": (PortBinding(host_port="5300-5310"),),
            "81": (),
            "82": None,
        }
    )
    assert port_requests(ContainerConfig(), host) == (
        PortRequest(container_port=80, host_ip="127.0.0.1", first=8080, last=8080),
        PortRequest(container_port=80),
        PortRequest(container_port=53, protocol="udp", first=5300, last=5310),
        PortRequest(container_port=81),
    )


def test_publish_all_takes_what_is_exposed_and_not_bound() -> None:
    host = HostConfig(
        publish_all_ports=True, port_bindings={"80/tcp": (PortBinding(host_port="1"),)}
    )
    config = ContainerConfig(exposed_ports={"80/tcp": {}, "90/udp": {}})
    assert [each.key for each in port_requests(config, host)] == ["80/tcp", "90/udp"]


@pytest.mark.parametrize("key", ["0/tcp", "65536", "http", "80/icmp", ""])
def test_what_is_no_container_port(key: str) -> None:
    with pytest.raises(InvalidArgument):
        container_port(key)


@pytest.mark.parametrize("text", ["70000", "9-8", "-1", "a"])
def test_what_is_no_host_port(text: str) -> None:
    host = HostConfig(port_bindings={"80": (PortBinding(host_port=text),)})
    with pytest.raises(InvalidArgument, match="invalid port specification"):
        port_requests(ContainerConfig(), host)


def test_exposed_ports_are_shown_though_nothing_leads_there() -> None:
    config = ContainerConfig(exposed_ports={"90/udp": {}, "80/tcp": {}})
    binding = (PortBinding(host_ip="0.0.0.0", host_port="8080"),)
    assert ports_shown(config, {"80/tcp": binding}) == {"80/tcp": binding, "90/udp": None}
