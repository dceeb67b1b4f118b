import pytest

from knarr.container.capabilities import CAPABILITIES, DEFAULT, granted, normalized
from knarr.errors import InvalidArgument


def test_the_default_set_is_dockers_fourteen() -> None:
    assert len(DEFAULT) == 14
    assert granted((), (), CAPABILITIES) == DEFAULT


def test_adding_and_dropping() -> None:
    held = granted(("net_admin", "CAP_CHOWN"), ("CHOWN", "MKNOD"), CAPABILITIES)
    assert "CAP_NET_ADMIN" in held
    assert "CAP_CHOWN" in held  # dropped from the defaults, added again
    assert "CAP_MKNOD" not in held
    assert len(held) == len(set(held))


def test_all_can_be_dropped_and_some_added() -> None:
    assert granted(("NET_BIND_SERVICE",), ("all",), CAPABILITIES) == ("CAP_NET_BIND_SERVICE",)
    assert granted((), ("ALL",), CAPABILITIES) == ()


def test_an_added_all_wins_but_for_what_is_dropped() -> None:
    held = granted(("ALL",), ("SYS_ADMIN", "ALL"), CAPABILITIES)
    assert set(held) == set(CAPABILITIES) - {"CAP_SYS_ADMIN"}


def test_privileged_gets_what_there_is() -> None:
    available = frozenset(CAPABILITIES) - {"CAP_SYS_RESOURCE"}
    assert set(granted((), ("ALL",), available, privileged=True)) == available


def test_defaults_that_the_daemon_lacks_are_left_out() -> None:
    assert "CAP_MKNOD" not in granted((), (), frozenset(CAPABILITIES) - {"CAP_MKNOD"})


def test_unknown_ones_are_refused() -> None:
    with pytest.raises(InvalidArgument, match='unknown capability: "CAP_FLY"'):
        normalized(("fly",), CAPABILITIES)


def test_known_ones_that_this_machine_lacks_are_refused() -> None:
    with pytest.raises(
        InvalidArgument, match='not available in the current environment: "CAP_BPF"'
    ):
        granted(("BPF",), (), frozenset(CAPABILITIES) - {"CAP_BPF"})
