"""From the body of a create request to the runtime spec.

A case is a folder: ``create.json`` (with ``Image`` the image's config, as an object) and
``expected.json``. KNARR_GOLDEN=write writes what is computed now; read the difference then.
"""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from knarr.container.machine import Machine
from knarr.container.merge import merged
from knarr.container.mounts import located, requested_mounts
from knarr.container.plan import Plan, Surroundings, runtime_spec
from knarr.container.runtime_mounts import NetworkFiles
from knarr.container.settings import Defaults, checked_config, checked_host, completed
from knarr.errors import KnarrError
from knarr.spec import decode, encode
from knarr.spec.docker.container import ContainerCreate, HostConfig
from knarr.spec.docker.image import ImageConfig

HERE = Path(__file__).parent
CASES = sorted(path.parent.name for path in HERE.glob("*/create.json"))
REFUSED = sorted(path.parent.name for path in HERE.glob("negative/*/create.json"))
MACHINE = Machine(
    architecture="x86_64",
    kernel=(6, 1),
    cgroup_version=1,
    cpus=frozenset(range(4)),
    hard_limits={"nofile": 1_048_576},
    sysctls=frozenset({"net.ipv4.ip_unprivileged_port_start", "net.ipv4.ping_group_range"}),
    init_path="/usr/bin/tini-static",
)
PASSWD = "root:x:0:0::/root:/bin/sh\nweb:x:33:33::/var/www:/bin/false\n"
GROUP = "root:x:0:\nweb:x:33:\nlog:x:44:web\n"


def planned(request: dict[str, Any]) -> Plan:
    image = decode(json.dumps(request.pop("Image", {})), ImageConfig)
    body = decode(json.dumps(request), ContainerCreate)
    config = merged(checked_config(body), image)
    checked, _ = checked_host(body.host_config or HostConfig(), config, MACHINE)
    host = completed(checked, MACHINE, Defaults())
    mounts = requested_mounts(config, host, others={}, path_exists=lambda _: True)
    around = Surroundings(
        id="c0ffee" * 10 + "beef",
        rootfs="/run/knarr/rootfs",
        hostname=config.hostname or "c0ffeec0ffee",
        passwd=PASSWD,
        group=GROUP,
        mounts=tuple(
            located(plan, f"/volumes/{plan.name or 'anonymous'}/_data")
            if plan.kind == "volume"
            else plan
            for plan in mounts
        ),
        files=NetworkFiles(hosts="/c/hosts", hostname="/c/hostname", resolv_conf="/c/resolv.conf"),
        network_namespace="/run/netns/c0ffee",
    )
    return runtime_spec(config, host, around, MACHINE)


@pytest.mark.parametrize("case", CASES)
def test_the_spec_is_the_expected_one(case: str) -> None:
    request = json.loads((HERE / case / "create.json").read_text())
    plan = planned(request)
    spec = json.loads(encode(plan.spec))
    if isinstance(spec["linux"].get("seccomp"), dict):
        spec["linux"]["seccomp"] = spec["linux"]["seccomp"]["defaultAction"]
    found = {"spec": spec, "warnings": list(plan.warnings)}
    expected = HERE / case / "expected.json"
    if os.environ.get("KNARR_GOLDEN") == "write":
        expected.write_text(json.dumps(found, indent=1) + "\n")
    assert found == json.loads(expected.read_text())


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_is_refused_in_dockers_words(case: str) -> None:
    request = json.loads((HERE / "negative" / case / "create.json").read_text())
    with pytest.raises(KnarrError) as caught:
        planned(request)
    expected = (HERE / "negative" / case / "expected.txt").read_text().strip()
    assert str(caught.value) == expected
