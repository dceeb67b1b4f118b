import pytest

from knarr.container.sysctls import check_sysctls, sysctls
from knarr.errors import InvalidArgument


def test_namespaced_settings_are_allowed() -> None:
    names = ("net.core.somaxconn", "kernel.shmmax", "fs.mqueue.msg_max", "kernel.domainname")
    check_sysctls(names, own_network=True, own_ipc=True, own_uts=True)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("net.core.somaxconn", "not allowed in host network namespace"),
        ("kernel.shmmax", "not allowed in the hosts ipc namespace"),
        ("kernel.domainname", "not allowed in host UTS namespace"),
        ("kernel.hostname", "conflicts with the hostname"),
        ("vm.swappiness", "is not in a separate kernel namespace"),
        ("kernel.pid_max", "is not in a separate kernel namespace"),
    ],
)
def test_what_would_change_the_host_is_refused(name: str, message: str) -> None:
    with pytest.raises(InvalidArgument, match=message):
        check_sysctls((name,), own_network=False, own_ipc=False, own_uts=False)


def test_defaults_are_for_networks_of_ones_own() -> None:
    known = {"net.ipv4.ping_group_range"}
    assert sysctls({}, own_network=True, known=known) == {
        "net.ipv4.ping_group_range": "0 2147483647"
    }
    assert sysctls({}, own_network=False, known=known) == {}


def test_what_is_asked_for_wins() -> None:
    known = {"net.ipv4.ping_group_range"}
    wanted = {"net.ipv4.ping_group_range": "1 0"}
    assert sysctls(wanted, own_network=True, known=known) == wanted
