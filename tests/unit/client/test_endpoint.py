import pytest

from knarr.client.endpoint import Endpoint, Tls
from knarr.errors import InvalidArgument


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("unix://", "unix:///var/run/docker.sock"),
        ("unix:///x.sock", "unix:///x.sock"),
        ("tcp://", "tcp://localhost:2375"),
        ("foo", "tcp://foo:2375"),
        ("1.2.3.4:22", "tcp://1.2.3.4:22"),
        ("tcp://[::1]:99", "tcp://[::1]:99"),
        ("tcp://h:1/some/where", "tcp://h:1/some/where"),
        ("ssh://me@far:2222", "ssh://me@far:2222"),
    ],
)
def test_hosts_are_read_in_all_spellings_of_docker_host(text: str, shown: str) -> None:
    assert Endpoint.parse(text).text == shown


def test_tls_has_a_port_of_its_own() -> None:
    assert Endpoint.parse("tcp://h", tls=Tls()).port == 2376


def test_a_far_engine_is_dialled_over_ssh() -> None:
    command = Endpoint.parse("ssh://me@far:2222/run/x.sock").ssh_command()
    assert command == [
        "ssh", "-o", "ConnectTimeout=30", "-T", "-l", "me", "-p", "2222", "--", "far",
        "docker", "--host", "unix:///run/x.sock", "system", "dial-stdio",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("fd://", "unable to parse docker host `fd://`"),
        ("ftp://x", "invalid bind address format: ftp://x"),
        ("tcp://x:abc", 'invalid port ":abc" after host'),
        ("tcp://x:99999", 'invalid port ":99999" after host'),
        ("ssh://u:p@h", "plain-text password is not supported"),
        ("ssh://", "hostname is empty"),
        ("ssh://-oProxyCommand=x", "hostname is empty"),
        ("ssh://h?q", 'query parameters are not allowed: "q"'),
        ("npipe://x", "protocol not available"),
    ],
)
def test_what_is_no_host_is_refused(text: str, problem: str) -> None:
    with pytest.raises(InvalidArgument) as refused:
        Endpoint.parse(text)
    assert problem in str(refused.value)
