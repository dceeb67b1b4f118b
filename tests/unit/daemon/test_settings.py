import pytest

from knarr.daemon.settings import settings_of
from knarr.errors import InvalidArgument
from knarr.spec.docker.container import LogConfig


def test_the_address_of_published_ports_is_a_flag_or_a_variable() -> None:
    assert settings_of([], {}).publish_ip == "0.0.0.0"
    assert settings_of([], {"KNARR_IP": "127.0.0.1"}).publish_ip == "127.0.0.1"
    assert settings_of(["--ip", "192.0.2.1"], {"KNARR_IP": "127.0.0.1"}).publish_ip == "192.0.2.1"
    with pytest.raises(InvalidArgument, match="invalid value for --ip: 'localhost' is no IPv4"):
        settings_of(["--ip=localhost"], {})


def test_tls_takes_its_files_from_flags_or_from_the_clients_folder() -> None:
    assert settings_of([], {"HOME": "/home/u"}).tls is None
    tls = settings_of(["--tlsverify", "--tlscert", "/c.pem"], {"HOME": "/home/u"}).tls
    assert tls is not None
    assert (str(tls.ca), str(tls.cert)) == ("/home/u/.docker/ca.pem", "/c.pem")
    tls = settings_of(["--tlsverify=true"], {"DOCKER_CERT_PATH": "/certs"}).tls
    assert tls is not None
    assert str(tls.key) == "/certs/key.pem"


@pytest.mark.parametrize("flags", [["--tls"], ["--tlscacert", "x"], ["--tls", "--tlsverify=false"]])
def test_tls_that_asks_clients_for_nothing_is_refused(flags: list[str]) -> None:
    with pytest.raises(InvalidArgument, match="TLS without --tlsverify lets everyone in"):
        settings_of(flags, {})


def test_where_containers_log_to_unless_they_say_it_themselves() -> None:
    assert settings_of([], {}).container_log == LogConfig(type="json-file")
    asked = settings_of(["--log-driver=local", "--log-opt", "max-size=1m"], {})
    assert asked.container_log == LogConfig(type="local", config={"max-size": "1m"})
    with pytest.raises(InvalidArgument, match="--log-opt wants KEY=VALUE, not 'max-size'"):
        settings_of(["--log-opt", "max-size"], {})
    with pytest.raises(InvalidArgument, match="unknown log opt 'x' for json-file log driver"):
        settings_of(["--log-opt", "x=1"], {})


def test_how_much_containers_may_write_that_do_not_say_it_themselves() -> None:
    assert settings_of([], {}).storage_opt == {}
    assert settings_of(["--storage-opt", "size=10G"], {}).storage_opt == {"size": "10G"}
    assert settings_of([], {"KNARR_STORAGE_OPT": "overlay2.size=1g"}).storage_opt == {"size": "1g"}
    with pytest.raises(InvalidArgument, match="--storage-opt wants size=SIZE, not '10G'"):
        settings_of(["--storage-opt=10G"], {})
    with pytest.raises(
        InvalidArgument, match=r"unknown storage option 'dm\.fs': there is only size"
    ):
        settings_of(["--storage-opt=dm.fs=xfs"], {})


def test_containers_on_the_default_bridge_reach_each_other_unless_told_otherwise() -> None:
    assert settings_of([], {}).icc
    assert not settings_of([], {"KNARR_ICC": "false"}).icc
    assert settings_of(["--icc"], {"KNARR_ICC": "false"}).icc
    assert not settings_of(["--icc=false"], {}).icc
    with pytest.raises(InvalidArgument, match="--icc: 'never' is neither true nor false"):
        settings_of(["--icc=never"], {})
