"""``knarr compose`` in this process: flags, names, what the tab key offers, what progress shows."""

from pathlib import Path

import pytest

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
