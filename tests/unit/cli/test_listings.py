"""Rows of lists: tables, templates, JSON."""

import json
import time
from typing import Any

import pytest

from knarr.cli.columns.container import ports_text
from knarr.cli.columns.image import rows_of
from knarr.cli.columns.stats import cpu_percent, memory_used, usage_of
from knarr.cli.columns.usage import sums
from support.fake_engine import Answer, FakeEngine
from unit.cli.conftest import Knarr

CONTAINER: dict[str, Any] = {
    "Id": "7e67ff57d8dc22ff5f18af6e87b8f91fd5f2b23bad10e478a225f998938a01d5",
    "Names": ["/one", "/other/link"],
    "Image": "busybox",
    "ImageID": "sha256:f5e1842a9fe86b9d5c89f12f19c711d72e244f1c1287dd5a2ebfbd4086ab40c5",
    "Command": "sh -c 'echo hello; sleep 100'",
    "Ports": [{"IP": "0.0.0.0", "PrivatePort": 80, "PublicPort": 8080, "Type": "tcp"}],
    "Labels": {"b": "<2>", "a": "1"},
    "State": "running",
    "Status": "Up 5 minutes",
    "NetworkSettings": {"Networks": {"bridge": {}}},
    "Mounts": [{"Type": "volume", "Name": "a-very-long-volume-name", "Driver": "local"}],
    "SizeRw": 5,
    "SizeRootFs": 1984162,
}


@pytest.fixture(autouse=True)
def one_container(engine: FakeEngine) -> None:
    made = int(time.time()) - 300  # now, not when the tests were collected
    engine.answers["GET", "/containers/json"] = Answer(body=[{**CONTAINER, "Created": made}])


def test_ps_shows_a_table(knarr: Knarr) -> None:
    assert knarr("ps") == 0
    assert knarr.out == (
        "CONTAINER ID   IMAGE     COMMAND                  CREATED         STATUS         "
        "PORTS                  NAMES\n"
        '7e67ff57d8dc   busybox   "sh -c \'echo hello; …"   5 minutes ago   Up 5 minutes   '
        "0.0.0.0:8080->80/tcp   one\n"
    )


@pytest.mark.parametrize(
    ("words", "query"),
    [
        ([], {}),
        (["-a"], {"all": ["1"]}),
        (["-l"], {"all": ["1"], "limit": ["1"]}),
        (["-n", "3"], {"all": ["1"], "limit": ["3"]}),
        (["-s"], {"size": ["1"]}),
        (["--format", "{{.Size}}"], {"size": ["1"]}),
        (
            ["-f", "name=a", "-f", "name=b", "-f", "status=exited"],
            {"filters": ['{"name":{"a":true,"b":true},"status":{"exited":true}}']},
        ),
    ],
)
def test_ps_asks_for_what_its_flags_say(
    knarr: Knarr, engine: FakeEngine, words: list[str], query: dict[str, list[str]]
) -> None:
    assert knarr("ps", *words) == 0
    assert engine.asked[0].query == query


@pytest.mark.parametrize(
    ("form", "text"),
    [
        ("{{.Names}} {{.ID}}", "one 7e67ff57d8dc"),
        ('table {{.Names}}\\t{{.Label "a"}}', "NAMES     a\none       1"),
        ("{{.Labels}}", "a=1,b=<2>"),
        ("{{.Mounts}} {{.LocalVolumes}} {{.Networks}}", "a-very-long-vo… 1 bridge"),
        ("{{.Size}}", "5B (virtual 1.98MB)"),
        ("  {{.State}} ", "running"),
    ],
)
def test_templates_name_the_columns(knarr: Knarr, form: str, text: str) -> None:
    assert knarr("ps", "--format", form) == 0
    assert knarr.out == f"{text}\n"


def test_json_has_every_column_in_order(knarr: Knarr) -> None:
    assert knarr("ps", "--format", "json", "--no-trunc") == 0
    row = json.loads(knarr.out)
    assert list(row) == sorted(row)
    assert row["ID"] == CONTAINER["Id"]
    assert row["Names"] == "one,other/link"
    assert "\\u003c2\\u003e" in knarr.out
    assert row["Platform"] is None


def test_quiet_prints_identifiers_alone(knarr: Knarr) -> None:
    assert knarr("ps", "-q") == 0
    assert knarr.out == "7e67ff57d8dc\n"


@pytest.mark.parametrize(
    ("form", "problem"),
    [
        ("{{.Foo}}", "<.Foo>: can't evaluate field Foo in type *formatter.ContainerContext"),
        ("{{.Label}}", "<.Label>: wrong number of args for Label: want 1 got 0"),
    ],
)
def test_a_template_that_does_not_fit_is_told(knarr: Knarr, form: str, problem: str) -> None:
    assert knarr("ps", "--format", form) == 1
    place = 'failed to execute template: template: :1:2: executing "" at '
    assert knarr.err == f"{place}{problem}\n"


def test_a_template_that_cannot_be_read_is_told(knarr: Knarr) -> None:
    assert knarr("ps", "--format", "{{.Names") == 1
    assert knarr.err == "failed to parse template: template: :1: unclosed action\n"


def port(private: int, public: int = 0, ip: str = "0.0.0.0", kind: str = "tcp") -> dict[str, Any]:
    found: dict[str, Any] = {"PrivatePort": private, "Type": kind}
    return found | ({"PublicPort": public, "IP": ip} if public else {})


@pytest.mark.parametrize(
    ("ports", "text"),
    [
        ([], ""),
        ([port(80)], "80/tcp"),
        ([port(82), port(80), port(81)], "80-82/tcp"),
        ([port(80), port(82)], "80/tcp, 82/tcp"),
        ([port(80, 8080)], "0.0.0.0:8080->80/tcp"),
        ([port(80, 8080, "::")], "[::]:8080->80/tcp"),
        (
            [port(9000, 9000), port(9001, 9001), port(9000, 9000, "::"), port(9001, 9001, "::")],
            "0.0.0.0:9000-9001->9000-9001/tcp, [::]:9000-9001->9000-9001/tcp",
        ),
        ([port(53, kind="udp"), port(53)], "53/tcp, 53/udp"),
        ([port(7000), port(80, 8080)], "7000/tcp, 0.0.0.0:8080->80/tcp"),
    ],
)
def test_ports_that_are_neighbours_are_one_range(ports: list[dict[str, Any]], text: str) -> None:
    assert ports_text(ports) == text


def names(image: dict[str, Any], *, digests: bool = False) -> list[tuple[str, str, str]]:
    rows = rows_of([image], digests=digests)
    return [(row["repository"], row["tag"], row["digest"]) for row in rows]


def test_an_image_has_a_row_for_each_of_its_names() -> None:
    image = {"RepoTags": ["a:1", "a:2", "h:5000/b:x"], "RepoDigests": ["a@sha256:d"]}
    assert names(image) == [
        ("a", "1", "<none>"), ("a", "2", "<none>"), ("h:5000/b", "x", "<none>"),
    ]  # fmt: skip
    assert names(image, digests=True)[0] == ("a", "1", "sha256:d")


@pytest.mark.parametrize("tags", [None, [], ["<none>:<none>"]])
def test_an_image_without_a_name_has_one_row(tags: list[str] | None) -> None:
    assert names({"RepoTags": tags, "RepoDigests": None}) == [("<none>", "<none>", "<none>")]


def sample(total: int, machine: int) -> dict[str, Any]:
    return {
        "cpu_usage": {"total_usage": total}, "system_cpu_usage": machine, "online_cpus": 4,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("now", "before", "percent"),
    [
        (sample(300, 2000), sample(100, 1000), 80.0),
        (sample(100, 2000), sample(100, 1000), 0.0),
        (sample(300, 1000), sample(100, 1000), 0.0),
        (
            {"cpu_usage": {"total_usage": 200, "percpu_usage": [1, 1]}, "system_cpu_usage": 1000},
            {},
            40.0,
        ),
        ({}, {}, 0.0),
    ],
)  # fmt: skip
def test_cpu_is_the_share_between_two_samples(
    now: dict[str, Any], before: dict[str, Any], percent: float
) -> None:
    assert cpu_percent({"cpu_stats": now, "precpu_stats": before}) == pytest.approx(percent)


@pytest.mark.parametrize(
    ("memory", "used"),
    [
        ({"usage": 100, "stats": {"inactive_file": 30}}, 70),
        ({"usage": 100, "stats": {"total_inactive_file": 20, "inactive_file": 30}}, 80),
        ({"usage": 100, "stats": {"inactive_file": 300}}, 100),
        ({}, 0),
    ],
)
def test_the_page_cache_is_no_used_memory(memory: dict[str, Any], used: int) -> None:
    assert memory_used(memory) == used


def test_a_container_that_does_not_run_uses_nothing() -> None:
    row = usage_of("x", {"id": "1", "name": "/x"})
    assert (row["cpu"], row["memory"], row["pids"], row["read"]) == (0.0, 0, 0, 0)


def test_disk_usage_says_what_would_come_free() -> None:
    usage = {
        "LayersSize": 1000,
        "Images": [
            {"Size": 800, "SharedSize": 200, "Containers": 1},
            {"Size": 400, "SharedSize": 200, "Containers": 0},
        ],
        "Containers": [{"SizeRw": 10, "State": "running"}, {"SizeRw": 20, "State": "exited"}],
        "Volumes": [
            {"UsageData": {"Size": 5, "RefCount": 1}},
            {"UsageData": {"Size": 7, "RefCount": 0}},
            {"UsageData": {"Size": -1, "RefCount": 0}},
        ],
        "BuildCache": [{"Size": 3, "InUse": False, "Shared": False}],
    }
    rows = [(r["total"], r["active"], r["size"], r["reclaimable"]) for r in sums(usage)]
    assert rows == [(2, 1, 1000, 400), (2, 1, 30, 20), (3, 1, 12, 7), (1, 0, 3, 3)]
