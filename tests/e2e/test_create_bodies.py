"""``docker create FLAGS`` and ``knarr create FLAGS`` ask the engine for the same container.

Both run against an engine that only listens: what they send is compared as documents, without
what says nothing. Bad flags must be refused by both, with the same words and the same code.
"""

import json
import os
import shlex
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from support.bodies import without_zeros
from support.fake_engine import Answer, FakeEngine, fake_engine
from unit.cli.test_create import CASES, REFUSED

pytestmark = pytest.mark.needs("docker")

FURTHER = """\
--network a --network b --ip 1.2.3.4 --network-alias q
--network name=a,alias=x,ip=1.2.3.4,driver-opt=k=v,mac-address=02:42:ac:11:00:02,gw-priority=5
--network none --ip 1.2.3.4
--network container:x -p 80:80
--network host --hostname x
--net a --net-alias x
--ip 1.2.3.4 --mac-address 02:42:ac:11:00:02
-p 80-82:90-92 -p 127.0.0.1::81 -p [::1]:80:81/udp -p 80-82:70
-p published=80,target=81,protocol=udp --expose 7000-7002/TCP -P
--mount type=bind,src=/a,dst=/b,ro=true,bind-propagation=rslave
--mount src=v,dst=/b,volume-nocopy,volume-driver=d,volume-opt=a=b,volume-label=c=d,volume-subpath=s
--mount type=tmpfs,target=/b,tmpfs-size=5m,tmpfs-mode=1777 --mount dst=/x
--mount type=bind,src=/a,dst=/b,bind-recursive=readonly,readonly,bind-propagation=rprivate
--mount 'type=bind,"src=/a,b",target=/c'
-v ./x:/b -v ..:/c -v named:/d:ro,z -v /anonymous
--name foo --platform linux/arm64
--health-interval 1us
--health-start-interval 3s --health-start-period 1m
--stop-timeout -1
--memory-swappiness -1
--cpu-rt-period 5 --cpu-rt-runtime 6 --cgroup-parent x
--security-opt systempaths=unconfined
--isolation default
-it -a stdout
-i
--init=false
--label-file /dev/null --env-file /dev/null
--log-opt =x
--annotation =x
--tmpfs rel
"""
LINES = [line for line, _ in CASES] + FURTHER.splitlines()


@pytest.fixture(scope="module")
def engine() -> Iterator[FakeEngine]:
    with fake_engine(api_version="1.50") as engine:
        engine.answers["POST", "/containers/create"] = Answer(201, {"Id": "a" * 64})
        yield engine


def plain(body: dict[str, Any]) -> Any:
    """The body as sorted lines, without what says nothing."""
    if body["HostConfig"].get("MemorySwappiness") == -1:
        del body["HostConfig"]["MemorySwappiness"]  # the engine takes it for "not given"
    if binds := body["HostConfig"].get("Binds"):
        binds.sort()  # docker sends them in any order
    if variables := body.get("Env"):
        variables.sort()  # likewise, once a variable is given twice
    return json.dumps(without_zeros(body), sort_keys=True, indent=1).split("\n")


def asked(engine: FakeEngine, program: list[str], line: str) -> tuple[Any, str, int]:
    """(method, query and body of the request; what was said; the exit code)."""
    engine.asked.clear()
    environ = {
        **os.environ, "DOCKER_HOST": engine.host, "DOCKER_CONFIG": "/nonexistent",
        "HOME": "/root", "B": "2",
    }  # fmt: skip
    result = subprocess.run(
        [*program, "create", *shlex.split(line), "busybox", "cmd"],
        env=environ, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL,
    )  # fmt: skip
    sent = [
        (each.query, plain(each.document))
        for each in engine.asked
        if each.path == "/containers/create"
    ]
    said = result.stderr.split("\n\n")[0].removeprefix("docker: ").removeprefix("knarr: ")
    return sent, said.strip(), result.returncode


KNARR = [sys.executable, "-m", "knarr"]


@pytest.mark.parametrize("line", LINES)
def test_both_ask_for_the_same_container(engine: FakeEngine, line: str) -> None:
    docker = asked(engine, ["docker"], line)
    knarr = asked(engine, KNARR, line)
    assert docker[0], f"docker refused it: {docker[1]}"
    assert knarr == docker


@pytest.mark.parametrize(
    "line",
    [
        # docker has no idmap, and says so in its own way.
        *(line for line, _ in REFUSED if "idmap" not in line),
        "--cpu-count 2 --cpu-percent 3 --io-maxiops 4 --io-maxbandwidth 5m",
        "--pull sometimes",
        "--cidfile /nonexistent/x",
        "--cidfile /etc/hostname",
        "--platform nonsense",
        "--use-api-socket --bogus",
        "--env-file /etc",
        "--label-file /etc",
    ],
)
def test_both_refuse_what_makes_no_sense(engine: FakeEngine, line: str) -> None:
    docker = asked(engine, ["docker"], line)
    assert docker[0] == []
    assert asked(engine, KNARR, line) == docker
