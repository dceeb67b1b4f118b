import pytest

from knarr.daemon.settings import settings_of
from knarr.errors import InvalidArgument


def test_the_address_of_published_ports_is_a_flag_or_a_variable() -> None:
    assert settings_of([], {}).publish_ip == "0.0.0.0"
    assert settings_of([], {"KNARR_IP": "127.0.0.1"}).publish_ip == "127.0.0.1"
    assert settings_of(["--ip", "192.0.2.1"], {"KNARR_IP": "127.0.0.1"}).publish_ip == "192.0.2.1"
    with pytest.raises(InvalidArgument, match="invalid value for --ip: 'localhost' is no IPv4"):
        settings_of(["--ip=localhost"], {})
