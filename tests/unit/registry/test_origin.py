import pytest

from knarr.errors import Forbidden
from knarr.registry.origin import checked_target, is_private_to_machine, same_origin, shown

HOME = "https://registry.example/v2/a/blobs/x"


@pytest.mark.parametrize(
    ("target", "arrives"),
    [
        ("/v2/other", "https://registry.example/v2/other"),
        ("https://cdn.example/x?sig=1", "https://cdn.example/x?sig=1"),
        ("//cdn.example/x", "https://cdn.example/x"),
        ("y?a=b", "https://registry.example/v2/a/blobs/y?a=b"),
    ],
)
def test_a_registry_may_send_its_caller_elsewhere(target: str, arrives: str) -> None:
    assert checked_target(HOME, target, insecure=False) == arrives


@pytest.mark.parametrize(
    "target",
    [
        "file:///etc/passwd",
        "ftp://cdn.example/x",
        "unix:/run/docker.sock",
        "http://cdn.example/x",
        "https://localhost/x",
        "https://127.0.0.1:2375/x",
        "https://[::1]/x",
        "https://[::ffff:127.0.0.1]/x",
        "https://0.0.0.0/x",
        "https://169.254.169.254/latest/meta-data",
        "https://user:pw@cdn.example/x",
        "https://cdn.example:99999/x",
        "https://[oops/x",
    ],
)
def test_nor_everywhere(target: str) -> None:
    with pytest.raises(Forbidden):
        checked_target(HOME, target, insecure=False)


def test_a_registry_on_loopback_may_send_its_caller_to_loopback() -> None:
    url = checked_target("http://127.0.0.1:5000/v2/", "http://127.0.0.1:9000/x", insecure=True)
    assert url == "http://127.0.0.1:9000/x"


def test_an_origin_is_scheme_host_and_port() -> None:
    assert same_origin("https://a.example/x", "https://a.example:443/y")
    assert not same_origin("https://a.example/", "http://a.example/")
    assert not same_origin("https://a.example/", "https://a.example:8443/")
    assert not same_origin("https://a.example/", "https://a.example.evil/")


def test_a_signature_is_not_shown() -> None:
    assert shown("https://cdn.example/x?X-Amz-Signature=secret#f") == "https://cdn.example/x"


def test_names_are_not_taken_for_addresses() -> None:
    assert not is_private_to_machine("registry.example")
    assert not is_private_to_machine("10.0.0.1")
    assert is_private_to_machine("fe80::1%eth0")
