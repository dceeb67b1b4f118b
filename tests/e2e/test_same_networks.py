# ruff: noqa: E501
"""Networks by the docker CLI: knarr's against Docker's answers.

Lines of one block come one after another; ``n1`` and ``n2`` are networks, ``t1`` to ``t3``
containers, and all of them are gone before and after.
"""

import re
import shlex

import pytest

from support.comparison import Case, Docker, transcript
from support.daemon import Daemon

pytestmark = pytest.mark.needs("root", "namespaces", "overlay", "docker", "dockerd", "busybox")

BLOCKS = r"""
network ls --format '{{.Name}} {{.Driver}} {{.Scope}}' --filter type=builtin

network create n1
network create n1
network inspect -f '{{.Name}} {{.Driver}} {{.Scope}} {{.EnableIPv6}} {{.Internal}} {{.Attachable}} {{json .Options}} {{json .Labels}} {{json .Containers}} {{.IPAM.Driver}} {{json .IPAM.Options}}' n1
network rm n1
network rm n1
network inspect n1

network create --subnet 10.81.0.0/16 --gateway 10.81.0.9 --ip-range 10.81.5.0/24 --aux-address a=10.81.5.1 --label x=y -o com.docker.network.driver.mtu=1300 --internal --attachable n1
network inspect -f '{{json .IPAM.Config}} {{json .Labels}} {{json .Options}} {{.Internal}} {{.Attachable}}' n1
network ls --filter label=x=y --format {{.Name}}
network ls --filter name=n1 --filter driver=bridge -q --no-trunc
network ls --filter nosuch=1
network create --subnet 10.81.0.0/24 n2

network create --subnet 10.82.0.0/24 n1
run -d --name t1 --network n1 --network-alias web --ip 10.82.0.77 busybox sleep 1000
inspect -f '{{.NetworkSettings.Networks.n1.IPAddress}} {{.NetworkSettings.Networks.n1.Gateway}} {{.NetworkSettings.Networks.n1.IPPrefixLen}} {{.NetworkSettings.Networks.n1.MacAddress}} {{.HostConfig.NetworkMode}}' t1
exec t1 sh -c 'ip -4 addr show eth0 | grep inet'
exec t1 ip route
exec t1 cat /etc/resolv.conf
run --rm --network n1 busybox sh -c 'nslookup web | grep -c 10.82.0.77'
run --rm --network n1 --ip 10.82.0.77 busybox true
run --rm --ip 10.82.0.5 busybox true
run --rm --network-alias x busybox true
network rm n1
network prune -f
network disconnect n1 t1
network disconnect n1 t1
network rm n1

network create --subnet 10.84.0.0/24 n1
network create --subnet 10.85.0.0/24 n2
run -d --name t1 --network n1 busybox sleep 1000
run -d --name t2 --network n2 busybox sleep 1000
network connect --alias second n2 t1
network connect n2 t1
exec t1 sh -c 'ip -4 addr show eth1 | grep inet'
exec t2 sh -c 'ping -c 1 -W 2 -q second | grep packets'
exec t2 sh -c 'ping -c 1 -W 1 -q 10.84.0.2 | grep packets'
network inspect -f '{{len .Containers}}{{range .Containers}}{{if eq .Name "t1"}}{{.Name}} {{.IPv4Address}} {{.MacAddress}}{{end}}{{end}}' n2
network disconnect n1 t1
exec t1 ip route
exec t1 ls /sys/class/net
network connect --ip 10.84.0.9 n1 t1
exec t1 sh -c 'ip -4 addr | grep -c 10.84.0.9/24'
network disconnect nosuch t1
network connect n1 nosuch
network connect nosuch t1
network connect host t1

network create --subnet 10.86.0.0/24 n1
create --name t1 --network n1 busybox sh -c 'ip -4 addr show eth0 | grep inet'
start -a t1
network connect bridge t1
inspect -f '{{range $name, $each := .NetworkSettings.Networks}}{{$name}} {{end}}' t1
network disconnect n1 t1
inspect -f '{{range $name, $each := .NetworkSettings.Networks}}{{$name}} {{end}}' t1

run --name t1 -d busybox sleep 1000
run --rm --network container:t1 busybox hostname
run --rm --network container:nosuch busybox true
run --rm --network container:t1 -p 80:80 busybox true
run --rm --network container:t1 --hostname x busybox true
run --rm --network host -p 80:80 busybox true
run --rm --network nosuch busybox true
run --rm --network none busybox ip route

network create bridge
network create host
network rm bridge
network rm none host
network create --driver nosuch n1
network create -d host n1
network create --subnet nonsense n1
network create --subnet 10.87.0.0/24 --gateway 10.88.0.1 n1
network create --subnet 10.87.0.0/24 --ip-range 10.88.0.0/28 n1

run -d --name t1 -p 127.0.0.1:38180:80 busybox sleep 1000
run -d --name t2 -p 127.0.0.1:38180:80 busybox sleep 1000
port t1
run -d --name t3 -p 127.0.0.1::80/udp busybox sleep 1000

run -d --name t1 busybox sleep 1000
run --rm --link t1:db busybox sh -c 'grep -cw db /etc/hosts; env | grep -c DB_'
run --rm --link nosuch:db busybox true

network create --subnet 10.89.0.0/24 n1
run -d --name t1 --network n1 busybox sleep 1000
rename t1 t2
run --rm --network n1 busybox sh -c 'ping -c 1 -W 2 -q t2 | grep packets'
run --rm --network n1 --dns 127.0.0.99 --dns-search example.org --dns-option timeout:1 busybox sort /etc/resolv.conf

network create --subnet 10.90.0.0/24 --label kn=prune n1
network create --subnet 10.91.0.0/24 n2
network prune -f --filter label=kn=prune
network rm n1 n2
"""


# Newer releases of Docker name the containers that are in the way, and knarr the one that has the
# port; 20.10 says neither.
_IN_THE_WAY = re.compile(r' \((?:name:"t\d" id:"<short id>"|held by container t\d)\)')


def blocks() -> list[Case]:
    cases = []
    for block in BLOCKS.strip().split("\n\n"):
        lines = [tuple(shlex.split(line)) for line in block.splitlines()]
        name = " ".join(lines[0])[:50].replace(" ", "-")
        cases.append(Case(name, tuple(lines), containers=("t1", "t2", "t3")))
    return cases


def alone(docker: Docker, case: Case) -> list[tuple[object, ...]]:
    docker("rm", "-f", "t1", "t2", "t3")
    docker("network", "rm", "n1", "n2")
    try:
        return [(*head, _IN_THE_WAY.sub("", words)) for *head, words in transcript(docker, case)]
    finally:
        docker("network", "rm", "n1", "n2")


@pytest.mark.parametrize("case", blocks(), ids=lambda case: case.name)
def test_knarr_answers_as_docker_does(case: Case, daemon: Daemon, dockerd: Docker) -> None:
    expected = alone(dockerd, case)
    assert alone(daemon.docker, case) == expected
