# ruff: noqa: E501 (tables: a case is a line)
"""What one call prints and how it ends."""

import pytest

from support.fake_engine import Answer, FakeEngine
from unit.cli.conftest import Knarr


def test_an_unknown_command_points_to_the_help(knarr: Knarr) -> None:
    assert knarr("bogus") == 1
    assert knarr.err == (
        "knarr: unknown command: knarr bogus\n\nRun 'knarr --help' for more information\n"
    )


def test_an_unknown_command_of_a_group_shows_the_groups_usage(knarr: Knarr) -> None:
    assert knarr("container", "bogus") == 1
    assert knarr.err == (
        "knarr: unknown command: knarr container bogus\n\nUsage:  knarr container\n\n"
        "Run 'knarr container --help' for more information\n"
    )


def test_a_bad_flag_ends_with_125_and_the_usage(knarr: Knarr) -> None:
    assert knarr("ps", "--bad") == 125
    assert knarr.err == (
        "unknown flag: --bad\n\nUsage:  knarr ps [OPTIONS]\n\n"
        "Run 'knarr ps --help' for more information\n"
    )


def test_a_missing_argument_ends_with_1_and_the_usage(knarr: Knarr) -> None:
    assert knarr("stop") == 1
    assert knarr.err == (
        "knarr: 'knarr stop' requires at least 1 argument\n\n"
        "Usage:  knarr stop [OPTIONS] CONTAINER [CONTAINER...]\n\n"
        "Run 'knarr stop --help' for more information\n"
    )


def test_what_the_engine_says_is_marked_as_its_own(knarr: Knarr, engine: FakeEngine) -> None:
    engine.answers["POST", "/containers/x/pause"] = Answer(409, {"message": "it does not run"})
    assert knarr("pause", "x") == 1
    assert knarr.err == "Error response from daemon: it does not run\n"


def test_failures_of_several_are_told_together_at_the_end(knarr: Knarr, engine: FakeEngine) -> None:
    engine.answers["POST", "/containers/b/stop"] = Answer(204)
    assert knarr("stop", "a", "b", "c") == 1
    assert knarr.out == "b\n"
    assert knarr.err.count("Error response from daemon") == 2


def test_nobody_at_the_endpoint(knarr: Knarr) -> None:
    knarr.environ["DOCKER_HOST"] = "unix:///nonexistent.sock"
    assert knarr("ps") == 1
    assert knarr.err == (
        "Cannot connect to the Docker daemon at unix:///nonexistent.sock. "
        "Is the docker daemon running?\n"
    )


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (["-H", "tcp://a", "-c", "b", "ps"], "conflicting options: cannot specify both --host and --context"),
        (["-H", "tcp://a", "-H", "tcp://b", "ps"], "unable to resolve docker endpoint: Specify only one -H"),
        (["-H", "ftp://a", "ps"], "Failed to initialize: unable to resolve docker endpoint: invalid bind address format: ftp://a"),
        (["-c", "nosuch", "ps"], 'Failed to initialize: unable to resolve docker endpoint: context "nosuch": context not found'),
        (["-l", "loud", "ps"], "Unable to parse logging level: loud"),
    ],
)  # fmt: skip
def test_an_endpoint_that_makes_no_sense_is_refused(
    knarr: Knarr, words: list[str], problem: str
) -> None:
    assert knarr(*words) != 0
    assert problem in knarr.err


def test_a_flag_that_the_engine_is_too_old_for_is_refused(knarr: Knarr, engine: FakeEngine) -> None:
    engine.api_version = "1.41"
    assert knarr("volume", "prune", "-a", "-f") == 1
    assert knarr.err == (
        '"--all" requires API version 1.42, but the Docker daemon API version is 1.41\n'
    )
    assert engine.asked == []


def test_the_version_that_is_spoken_is_the_older_of_both(knarr: Knarr, engine: FakeEngine) -> None:
    engine.answers["GET", "/version"] = Answer(body={"Version": "1", "Components": []})
    engine.api_version = "1.99"
    knarr("version", "-f", "{{.Client.ApiVersion}}")
    assert knarr.out == "1.51\n"
    engine.api_version = "1.30"
    knarr("version", "-f", "{{.Client.ApiVersion}}")
    assert knarr.out == "1.30\n"


def test_headers_of_the_configuration_file_are_sent(
    knarr: Knarr, engine: FakeEngine, tmp_path: object
) -> None:
    from pathlib import Path

    folder = Path(knarr.environ["DOCKER_CONFIG"])
    folder.mkdir()
    (folder / "config.json").write_text('{"HttpHeaders": {"X-Meta": "yes"}, "psFormat": "{{.ID}}"}')
    engine.answers["GET", "/containers/json"] = Answer(body=[])
    assert knarr("ps") == 0
    assert engine.asked[0].headers["x-meta"] == "yes"
    assert knarr.out == ""  # psFormat has no heading


def test_a_broken_configuration_file_is_told_and_counts_as_empty(
    knarr: Knarr, engine: FakeEngine
) -> None:
    from pathlib import Path

    folder = Path(knarr.environ["DOCKER_CONFIG"])
    folder.mkdir()
    (folder / "config.json").write_text("{")
    engine.answers["GET", "/containers/json"] = Answer(body=[])
    assert knarr("ps", "-q") == 0
    assert "WARNING: Error loading config file" in knarr.err


def test_prune_asks_first(
    knarr: Knarr, engine: FakeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    import io
    import sys

    monkeypatch.setattr(sys, "stdin", io.StringIO("n\n"))
    assert knarr("container", "prune") == 0
    assert knarr.out.endswith("Are you sure you want to continue? [y/N] ")
    assert engine.asked == []


def test_inspect_prints_the_engines_json_as_it_came(knarr: Knarr, engine: FakeEngine) -> None:
    raw = b'{"Name":"v","Labels":{"a":"\\u003cx\\u003e"},"Options":{},"List":[1,2.50]}'
    engine.answers["GET", "/volumes/v"] = Answer(body=raw)
    assert knarr("volume", "inspect", "v") == 0
    assert knarr.out == (
        '[\n    {\n        "Name": "v",\n        "Labels": {\n            '
        '"a": "\\u003cx\\u003e"\n        },\n        "Options": {},\n        "List": [\n'
        "            1,\n            2.50\n        ]\n    }\n]\n"
    )


def test_inspect_of_nothing_known_prints_an_empty_list(knarr: Knarr) -> None:
    assert knarr("inspect", "x") == 1
    assert (knarr.out, knarr.err) == ("[]\n", "Error: No such object: x\n")


def test_a_template_that_cannot_be_read_ends_with_64(knarr: Knarr) -> None:
    assert knarr("inspect", "-f", "{{.Foo", "x") == 64
    assert knarr.err == "template parsing error: template: :1: unclosed action\n"
