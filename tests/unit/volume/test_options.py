import pytest

from knarr.errors import InvalidArgument
from knarr.volume.options import LocalMount, check_options, local_mount, with_address


def test_without_options_there_is_nothing_to_mount() -> None:
    assert local_mount({}) is None


def test_words_of_mount_become_flags_and_data() -> None:
    options = {"type": "tmpfs", "device": "tmpfs", "o": "size=10m,uid=1000,noexec,nosuid,exec"}
    assert local_mount(options) == LocalMount(
        kind="tmpfs", device="tmpfs", flags=2, data="size=10m,uid=1000"
    )


def test_a_bind_mount() -> None:
    options = {"type": "none", "device": "/srv", "o": "bind,ro"}
    assert local_mount(options) == LocalMount(kind="none", device="/srv", flags=4096 | 1, data="")


@pytest.mark.parametrize(
    ("kind", "words", "host"),
    [
        ("nfs", "addr=files.example.org,rw", "files.example.org"),
        ("nfs4", "rw,addr=files", "files"),
        ("nfs", "addr=10.0.0.1,rw", ""),
        ("nfs", "addr=fd00::1", ""),
        ("tmpfs", "addr=files", ""),
    ],
)
def test_names_of_servers_have_to_be_resolved(kind: str, words: str, host: str) -> None:
    found = local_mount({"type": kind, "device": ":/export", "o": words})
    assert found is not None
    assert found.host == host


def test_an_address_takes_the_names_place() -> None:
    assert with_address("rw,addr=files,x=1", "files", "10.0.0.1") == "rw,addr=10.0.0.1,x=1"


def test_passwords_are_not_shown() -> None:
    options = {"type": "cifs", "device": "//files/share", "o": "username=a,password=b"}
    found = local_mount(options)
    assert found is not None
    assert found.shown == "cifs //files/share username=a,password=********"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"colour": "red"}, 'invalid option: "colour"'),
        ({"device": "/x"}, 'missing required option: "type"'),
        ({"type": "tmpfs"}, 'missing required option: "device"'),
        ({"o": "bind"}, 'missing required option: "device"'),
        ({"size": "1G"}, "quota size requested but no quota support"),
    ],
)
def test_wrong_options_are_refused(options: dict[str, str], message: str) -> None:
    with pytest.raises(InvalidArgument) as caught:
        check_options(options)
    assert str(caught.value) == message
