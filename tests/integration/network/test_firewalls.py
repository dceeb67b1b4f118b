"""Other firewalls on the host: chains that drop by default, rulesets that are flushed."""

import subprocess

import pytest

from knarr.network import NetworkService, PortRequest
from knarr.spec.docker.network import NetworkCreate
from support.cages import HOST, OUTSIDE, Cage, Runner
from support.netns import Namespace
from support.traffic import eventually, greet, greeting

pytestmark = pytest.mark.needs("namespaces", "nft")

NFT_DROP = (
    "add table inet fw;"
    " add chain inet fw passing { type filter hook forward priority 0; policy drop; }"
)
PUBLISH = (PortRequest(container_port=80, first=8080, last=8080),)


def command(*argv: str) -> str:
    return subprocess.run(argv, check=True, capture_output=True, text=True).stdout


def works(cage: Cage, outside: Namespace) -> bool:
    """Out of the container, and into it by its published port."""
    server = cage.space.listen("0.0.0.0", 80)
    reached = outside.reaches(HOST, 8080)
    server.close()
    return reached and cage.space.reaches(OUTSIDE, 90)


@pytest.mark.parametrize("when", ["before", "after"])
async def test_a_forward_chain_that_drops_lets_containers_through(
    outside: Namespace, networks: NetworkService, run: Runner, when: str
) -> None:
    outside.listen("0.0.0.0", 90)
    if when == "before":
        command("nft", NFT_DROP)
    cage = await run("one", ports=PUBLISH)
    if when == "after":
        command("nft", NFT_DROP)
        await eventually(lambda: "let through" in command("nft", "list", "table", "inet", "fw"))
    assert works(cage, outside)
    await networks.unplug(cage.id)
    await eventually(lambda: "let through" not in command("nft", "list", "table", "inet", "fw"))


@pytest.mark.parametrize(
    ("rule", "is_told"),
    [
        ("tcp dport 80 drop", True),
        ("ip daddr 172.16.0.0/12 reject", True),
        ("iifname up0 meta l4proto tcp drop", True),
        ("ct state new tcp dport 1-1000 counter log drop", True),
        ("jump more", True),
        ("tcp dport 81 drop", False),
        ("iifname lan0 drop", False),
        ("ip saddr 192.0.2.0/24 drop", False),
        ("udp dport 80 drop", False),
        ("tcp dport 80 accept", False),
    ],
)
async def test_a_port_that_another_firewall_drops_is_told_of(
    outside: Namespace, networks: NetworkService, run: Runner, caplog: pytest.LogCaptureFixture,
    rule: str, is_told: bool,
) -> None:  # fmt: skip
    command("nft", NFT_DROP.replace("policy drop", "policy accept"))
    command("nft", "add chain inet fw more; add rule inet fw more tcp dport 80 drop")
    command("nft", f"add rule inet fw passing {rule}")
    warned = await networks.port_warnings(PUBLISH)
    cage = await run("one", ports=PUBLISH)
    await networks.settled()
    assert ("published port 8080/tcp: see `nft list chain inet fw passing`" in caplog.text) is (
        is_told
    )
    cage.space.listen("0.0.0.0", 80)
    assert outside.reaches(HOST, 8080) is not is_told
    if "daddr" not in rule:  # no container had an address yet
        assert bool(warned) is is_told


async def test_no_warning_where_we_open_the_firewall_nor_for_a_port_of_this_machine_alone(
    networks: NetworkService,
) -> None:
    command("nft", NFT_DROP)
    assert await networks.port_warnings(PUBLISH) == ()
    command("nft", "add chain inet fw early { type filter hook prerouting priority -200; }")
    command("nft", "add rule inet fw early tcp dport 8080 drop")
    (told,) = await networks.port_warnings(PUBLISH)
    assert "inet fw early" in told
    here = PortRequest(container_port=80, host_ip="127.0.0.1", first=8080, last=8080)
    assert await networks.port_warnings((here,)) == ()


@pytest.mark.needs("iptables")
async def test_iptables_with_a_policy_to_drop_lets_containers_through(
    outside: Namespace, networks: NetworkService, run: Runner
) -> None:
    """As Docker leaves it: the policy is DROP, and its own chains know nothing of ours."""
    outside.listen("0.0.0.0", 90)
    command("iptables", "-P", "FORWARD", "DROP")
    command("iptables", "-N", "DOCKER-USER")
    command("iptables", "-I", "FORWARD", "-j", "DOCKER-USER")
    await networks.create(NetworkCreate(name="net"))
    one, two = await run("one", "net", ports=PUBLISH), await run("two", "net")
    assert works(one, outside)
    greet(one.space.listen("0.0.0.0", 81))
    assert greeting(two.space.connect(one.address("net"), 81)) == b"hello"
    assert command("iptables", "-S", "FORWARD").count("let through by knarr") == 1
    await networks.unplug(one.id)
    await networks.unplug(two.id)
    await networks.remove("net")
    await eventually(lambda: "knarr" not in command("iptables", "-S", "FORWARD"))


async def test_what_another_table_drops_by_a_rule_stays_dropped(
    outside: Namespace, run: Runner
) -> None:
    command("nft", NFT_DROP.replace("policy drop", "policy accept"))
    command("nft", f"add rule inet fw passing ip daddr {OUTSIDE} drop")
    outside.listen("0.0.0.0", 90)
    cage = await run("one")
    assert not cage.space.reaches(OUTSIDE, 90)


async def test_a_flushed_ruleset_is_installed_again(
    host: Namespace, outside: Namespace, networks: NetworkService, run: Runner
) -> None:
    outside.listen("0.0.0.0", 90)
    await networks.create(NetworkCreate(name="front"))
    await networks.create(NetworkCreate(name="back"))
    one, two = await run("one", "front", ports=PUBLISH), await run("two", "back")
    command("nft", "flush", "ruleset")
    await eventually(lambda: "knarr" in command("nft", "list", "tables"))
    await networks.settled()
    assert works(one, outside)
    one.space.listen("0.0.0.0", 81)
    assert not two.space.reaches(one.address("front"), 81)
    assert host.reaches(one.address("front"), 81)


# ufw keeps its settings below /etc: here on a file system that goes with its mount namespace.
UFW = """
set -e
mount -t tmpfs tmpfs /mnt
cp -a /etc/ufw /mnt/settings
cp -a /etc/default/ufw /mnt/defaults
mount --bind /mnt/settings /etc/ufw
mount --bind /mnt/defaults /etc/default/ufw
mount -t tmpfs tmpfs /run
ufw default deny incoming
ufw default deny routed
ufw --force enable
ufw reload
"""


@pytest.mark.needs("ufw", "iptables")
@pytest.mark.parametrize("when", ["before", "after"])
async def test_ufw_that_denies_all_lets_containers_through_and_published_ports(
    outside: Namespace, run: Runner, when: str
) -> None:
    outside.listen("0.0.0.0", 90)
    if when == "before":
        command("unshare", "-m", "sh", "-c", UFW)
    cage = await run("one", ports=PUBLISH)
    if when == "after":
        command("unshare", "-m", "sh", "-c", UFW)
        await eventually(lambda: "let through" in command("iptables", "-S", "FORWARD"))
    assert "-P FORWARD DROP" in command("iptables", "-S", "FORWARD")
    assert works(cage, outside)
    cage.space.listen("0.0.0.0", 81)
    assert not outside.reaches(HOST, 81)


# A system bus and firewalld in namespaces of their own: processes, mounts, and the test's network.
FIREWALLD = """
set -e
mount -t tmpfs tmpfs /run
mkdir -p /run/dbus /run/settings
cat >/run/bus.conf <<END
<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig><listen>unix:path=/run/dbus/system_bus_socket</listen><policy context="default">
<allow user="*"/><allow own="*"/><allow send_type="method_call"/><allow send_type="signal"/>
<allow send_requested_reply="true"/><allow receive_type="method_call"/>
<allow receive_type="signal"/><allow receive_requested_reply="true"/>
</policy></busconfig>
END
dbus-daemon --config-file=/run/bus.conf --nofork --nopidfile &
until test -S /run/dbus/system_bus_socket; do sleep 0.1; done
firewalld --nofork --nopid --system-config /run/settings >/dev/null &
until firewall-cmd --state 2>/dev/null; do sleep 0.2; done
while read words; do firewall-cmd $words; done
"""


@pytest.mark.long
@pytest.mark.needs("firewalld")
async def test_firewalld_lets_containers_through_also_after_each_reload(
    outside: Namespace, run: Runner
) -> None:
    outside.listen("0.0.0.0", 90)
    argv = ("unshare", "-m", "-p", "-f", "--mount-proc", "--kill-child", "sh", "-c", FIREWALLD)
    cage = await run("one", ports=PUBLISH)
    firewall = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert firewall.stdin is not None
    assert firewall.stdout is not None
    try:
        told = iter(firewall.stdout)
        assert next(told) == "running\n"
        await eventually(opened_by_us)
        assert works(cage, outside)
        for words in ("--add-interface=up0", "--reload", "--set-default-zone=drop", "--reload"):
            print(words, file=firewall.stdin, flush=True)
            assert next(told) == "success\n"
        await eventually(opened_by_us)
        assert works(cage, outside)
        cage.space.listen("0.0.0.0", 81)
        assert not outside.reaches(HOST, 81)
        later = await run("two")
        assert later.space.reaches(OUTSIDE, 90)
    finally:
        firewall.kill()
        firewall.communicate()


def opened_by_us() -> bool:
    return "let through" in command("nft", "list", "chain", "inet", "firewalld", "filter_FORWARD")
