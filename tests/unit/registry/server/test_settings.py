from pathlib import Path

import pytest

from knarr.errors import InvalidArgument
from knarr.registry.server.settings import settings_of


def test_without_a_word_it_serves_on_loopback() -> None:
    settings = settings_of([], {})
    assert (settings.host, settings.port, settings.scheme) == ("127.0.0.1", 5000, "http")
    assert settings.root == Path("/var/lib/knarr/registry")
    assert settings_of([], {"KNARR_REGISTRY_ROOT": "/srv/r"}).root == Path("/srv/r")


def test_flags_are_read_in_both_spellings() -> None:
    settings = settings_of(
        ["--listen=[::1]:80", "--untagged-after", "24h", "--read-only",
         "--insecure-registry", "a:1", "--insecure-registry", "b:2"], {},
    )  # fmt: skip
    assert (settings.host, settings.port) == ("::1", 80)
    assert settings.untagged_after_s == 86400
    assert settings.read_only
    assert settings.insecure_registries == ("a:1", "b:2")


def test_other_machines_are_served_by_tls_unless_it_is_meant() -> None:
    with pytest.raises(InvalidArgument, match="--plain-http"):
        settings_of(["--listen", "0.0.0.0:5000"], {})
    assert settings_of(["--listen", ":5000", "--plain-http"], {}).host == "0.0.0.0"
    tls = ["--tls-cert", "c", "--tls-key", "k"]
    assert settings_of(["--listen", ":443", *tls], {}).scheme == "https"


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["--nonsense"], "unknown flag: --nonsense"),
        (["--root"], "flag needs an argument"),
        (["--listen", "here"], "HOST:PORT"),
        (["--tls-cert", "c"], "belong together"),
        (["--tokens"], "--htpasswd"),
        (["--proxy-logins", "f"], "needs --proxy"),
        (["--proxy", "docker.io/library"], "a registry's name"),
        (["--proxy", "quay"], "a registry's name"),
        (["--collect-every", "often"], "invalid duration"),
    ],
)
def test_what_cannot_be_is_refused(argv: list[str], message: str) -> None:
    with pytest.raises(InvalidArgument, match=message):
        settings_of(argv, {})


def test_who_is_not_root_keeps_images_at_home() -> None:
    home = settings_of([], {"HOME": "/home/anna"}, is_root=False)
    assert home.root == Path("/home/anna/.local/share/knarr/registry")
    data = settings_of([], {"HOME": "/x", "XDG_DATA_HOME": "/data"}, is_root=False)
    assert data.root == Path("/data/knarr/registry")
