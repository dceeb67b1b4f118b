import pytest

from knarr.errors import InvalidArgument
from knarr.network.interface_settings import OPTION_SETTINGS, interface_settings
from knarr.spec.docker.container import EndpointSettings


def settings(text: str) -> EndpointSettings:
    return EndpointSettings(driver_opts={OPTION_SETTINGS: text})


def test_the_interfaces_name_takes_the_place_that_is_kept_for_it() -> None:
    text = "net.ipv4.conf.IFNAME.log_martians=1,net.ipv6.neigh.IFNAME.ucast_solicit=3"
    assert interface_settings(settings(text), "eth1") == {
        "net.ipv4.conf.eth1.log_martians": "1",
        "net.ipv6.neigh.eth1.ucast_solicit": "3",
    }


def test_nothing_asked_is_nothing_set() -> None:
    assert interface_settings(EndpointSettings(), "eth0") == {}
    assert interface_settings(settings(" , "), "eth0") == {}


@pytest.mark.parametrize(
    "text",
    [
        "net.ipv4.conf.eth0.log_martians=1",  # of an interface that may be another's
        "net.ipv4.conf.IFNAME.log_martians",
        "net.core.somaxconn=7",
        "kernel.domainname=x",
        "net.ipv4.conf.IFNAME.../../x=1",
    ],
)
def test_what_is_no_setting_of_an_interface_is_refused(text: str) -> None:
    with pytest.raises(InvalidArgument, match="no setting of an interface"):
        interface_settings(settings(text), "eth0")
