"""``knarr compose`` in this process: flags, names, what the tab key offers, what progress shows."""

import json
from pathlib import Path

import pytest

from support.fake_engine import Answer, FakeEngine
from unit.cli.conftest import Knarr

PROJECT = """\
name: sea
services:
  ship: {image: busybox}
  shore: {image: busybox, profiles: [land]}
"""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "compose.yaml").write_text(PROJECT)
    (tmp_path / "other.yaml").write_text("services: {island: {image: busybox}}\n")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    "words", [("compose", "up", "--bad"), ("compose", "--bad", "up"), ("compose", "ps", "-n")]
)
def test_a_bad_flag_ends_with_1_as_the_plug_in_does(knarr: Knarr, words: tuple[str, ...]) -> None:
    assert knarr(*words) == 1
    assert knarr.err.startswith("unknown")


def test_a_bad_name_is_refused_where_there_are_files_to_name(knarr: Knarr) -> None:
    assert knarr("compose", "-p", "BAD", "config") == 1
    assert knarr.err.startswith('invalid project name "BAD": must consist only of lowercase')


@pytest.mark.parametrize("words", [("--version",), ("-v",), ("-p", "x", "--version", "ps")])
def test_compose_tells_its_version_by_a_flag_too(knarr: Knarr, words: tuple[str, ...]) -> None:
    assert knarr("compose", *words) == 0
    assert knarr.out.startswith("Docker Compose version v")


def _offered(knarr: Knarr, *words: str) -> list[str]:
    assert knarr("__complete", *words) == 0
    return [line.partition("\t")[0] for line in knarr.out.splitlines()]


def test_the_tab_key_knows_the_flags_of_compose(knarr: Knarr) -> None:
    assert "--project-name" in _offered(knarr, "compose", "--pro")
    assert _offered(knarr, "compose", "--ansi", "n") == ["never"]
    assert _offered(knarr, "compose", "-f", "") == [":files"]
    assert _offered(knarr, "compose", "-f", "other.yaml", "resta") == ["restart"]
    assert "--force-recreate" in _offered(knarr, "compose", "-p", "x", "up", "--force")


def test_the_tab_key_knows_the_services_of_the_files(knarr: Knarr) -> None:
    assert _offered(knarr, "compose", "logs", "sh") == ["ship", "shore"]
    assert _offered(knarr, "compose", "-f", "other.yaml", "up", "") == ["island"]
    assert _offered(knarr, "compose", "-f", "nosuch.yaml", "up", "") == []


def test_without_variables_expanded_values_are_shown_as_they_were_written(
    knarr: Knarr, folder: Path
) -> None:
    (folder / "compose.yaml").write_text("""\
name: sea
services:
  ship:
    image: "busybox:${TAG:-1}"
    command: sh -c 'echo $$X'
    healthcheck: {test: test -e x, interval: 1m30s, retries: "${R:-3}"}
    stop_grace_period: 90s
    mem_limit: 50m
    privileged: "true"
    depends_on: [shore]
  shore: {image: busybox, tty: "${T:-true}"}
""")
    assert knarr("compose", "config", "--no-interpolate", "--no-normalize") == 0
    for line in (
        "image: busybox:${TAG:-1}", "command: sh -c 'echo $$X'", "test: test -e x",
        "interval: 1m30s", "retries: ${R:-3}", "stop_grace_period: 90s", "mem_limit: 50m",
        "tty: ${T:-true}", 'privileged: "true"', "condition: service_started",
    ):  # fmt: skip
        assert f" {line}\n" in knarr.out


def test_lists_numbers_and_long_spellings_are_shown_as_the_plug_in_shows_them(
    knarr: Knarr, folder: Path
) -> None:
    (folder / "compose.yaml").write_text("""\
name: sea
services:
  ship:
    image: "busybox:${TAG}"
    environment: [A=1, BARE, A=2]
    labels: {n: 1, t: true}
    extra_hosts: ["h:1.2.3.4"]
    tmpfs: /run
    env_file: [{path: /x.env, format: raw}]
    ports: ["8080:80", "90"]
    gpus: all
  shore: {image: busybox, ports: ["${PORT}:80", "70:70"]}
""")
    (folder / "more.yaml").write_text("""\
services:
  ship: {environment: {BARE: 7}, labels: [n=2], extra_hosts: {h: 1.2.3.4, i: 5.6.7.8}}
""")
    words = ("config", "--no-interpolate", "--format", "json")
    assert knarr("compose", *words) == 0
    services = json.loads(knarr.out)["services"]
    ship = services["ship"]
    assert ship["environment"] == ["A=2", "BARE"]
    assert ship["labels"] == {"n": 1, "t": True}
    assert (ship["extra_hosts"], ship["tmpfs"]) == (["h:1.2.3.4"], "/run")
    assert ship["env_file"] == [{"path": "/x.env", "required": True, "format": "raw"}]
    assert [each["target"] for each in ship["ports"]] == [80, 90]
    assert ship["gpus"] == [{"count": "all"}]
    assert services["shore"]["ports"] == ["${PORT}:80", "70:70"]
    assert knarr("compose", "-f", "compose.yaml", "-f", "more.yaml", *words) == 0
    ship = json.loads(knarr.out)["services"]["ship"]
    assert ship["environment"] == ["A=2", "BARE=7"]
    assert ship["labels"] == ["n=2", "t=true"]
    assert ship["extra_hosts"] == ["h:1.2.3.4", "h=1.2.3.4", "i=5.6.7.8"]


def test_variables_are_a_table_or_a_document(knarr: Knarr, folder: Path) -> None:
    (folder / "compose.yaml").write_text("services: {ship: {image: 'busybox:${TAG:-1}'}}\n")
    assert knarr("compose", "config", "--variables") == 0
    assert knarr.out.splitlines()[1].split() == ["TAG", "false", "1"]
    assert knarr("compose", "config", "--variables", "--format", "json") == 0
    assert json.loads(knarr.out) == {
        "TAG": {"Name": "TAG", "DefaultValue": "1", "PresenceValue": "", "Required": False}
    }


DIGEST = "sha256:" + "d" * 64
PINNED = f"docker.io/library/busybox:latest@{DIGEST}"


@pytest.mark.parametrize("more", [(), ("--no-interpolate",)])
def test_images_are_pinned_by_the_digest_that_their_registry_has(
    knarr: Knarr, engine: FakeEngine, more: tuple[str, ...]
) -> None:
    found = {"Descriptor": {"digest": DIGEST, "mediaType": "", "size": 1}, "Platforms": []}
    path = "/distribution/docker.io/library/busybox:latest/json"
    engine.answers["GET", path] = Answer(body=found)
    assert knarr("compose", "config", "--resolve-image-digests", *more) == 0, knarr.err
    assert f"    image: {PINNED}\n" in knarr.out
    assert "\nname: sea\n" in f"\n{knarr.out}"
    assert knarr("compose", "config", "--lock-image-digests", *more) == 0
    ship = f"services:\n  ship:\n    image: {PINNED}\n"
    shore = f"  shore:\n    image: {PINNED}\n"
    assert knarr.out == ship + (shore if more else "")


def test_a_lock_in_json_has_an_empty_name(knarr: Knarr, tmp_path: Path) -> None:
    (tmp_path / "compose.yaml").write_text(f"services: {{ship: {{image: 'busybox@{DIGEST}'}}}}")
    assert knarr("compose", "config", "--lock-image-digests", "--format", "json") == 0
    printed = json.loads(knarr.out)
    assert printed["name"] == ""
    assert printed["services"]["ship"]["image"] == f"docker.io/library/busybox@{DIGEST}"


def test_the_variables_of_a_long_name_keep_their_distance(knarr: Knarr, tmp_path: Path) -> None:
    (tmp_path / "compose.yaml").write_text("services: {ship: {image: '${A_NAME_OF_18_CHARS}'}}")
    assert knarr("compose", "config", "--variables") == 0
    assert knarr.out.splitlines()[1].startswith("A_NAME_OF_18_CHARS   false   ")


def test_a_missing_env_file_is_an_error_where_variables_are_listed(
    knarr: Knarr, tmp_path: Path
) -> None:
    (tmp_path / "compose.yaml").write_text("services: {ship: {image: x, env_file: gone.env}}")
    assert knarr("compose", "config", "--environment") == 1
    assert "gone.env not found" in knarr.err
    assert knarr("compose", "config", "--environment", "--no-env-resolution") == 0


def test_paths_of_an_extended_file_in_an_included_one_count_once(
    knarr: Knarr, tmp_path: Path
) -> None:
    (tmp_path / "deep").mkdir()
    (tmp_path / "compose.yaml").write_text("name: sea\ninclude: [deep/one.yaml]\n")
    extends = "services: {ship: {extends: {file: two.yaml, service: base}}}\n"
    (tmp_path / "deep/one.yaml").write_text(extends)
    (tmp_path / "deep/two.yaml").write_text("services: {base: {build: ./hull}}\n")
    assert knarr("compose", "config", "--no-path-resolution") == 0, knarr.err
    assert "      context: deep/hull\n" in knarr.out
