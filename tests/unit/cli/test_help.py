"""Help in Docker's layout."""

import pytest

from knarr.cli.help import command_help, group_help, root_help, wrapped
from knarr.cli.words import load
from unit.cli.conftest import Knarr

RENAME = """\
Usage:  knarr rename CONTAINER NEW_NAME

Rename a container

Aliases:
  knarr container rename, knarr rename"""

KILL = """\
Usage:  knarr kill [OPTIONS] CONTAINER [CONTAINER...]

Kill one or more running containers

Aliases:
  knarr container kill, knarr kill

Options:
  -s, --signal string   Signal to send, by name or number"""


@pytest.mark.parametrize(("path", "text"), [("rename", RENAME), ("kill", KILL)])
def test_a_command_shows_usage_summary_aliases_and_options(path: str, text: str) -> None:
    command = load(f"container {path}")
    assert command is not None
    assert command_help(command, f"knarr {path}") == text


def test_a_group_lists_its_commands() -> None:
    lines = group_help("volume").split("\n")
    assert lines[0] == "Usage:  knarr volume COMMAND"
    assert "  create   Create a volume" in lines
    assert lines[-1] == "Run 'knarr volume COMMAND --help' for more information on a command."


def test_the_root_lists_everything_once() -> None:
    text = root_help()
    assert text.count("\n  run ") == 1
    for heading in ("Common Commands:", "Management Commands:", "Commands:", "Global Options:"):
        assert f"\n{heading}\n" in text
    assert "  -v, --version            Print client version and quit" in text


@pytest.mark.parametrize(
    "words", [["--help"], ["help"], [], ["ps", "--help"], ["help", "ps"], ["--help", "ps"],
              ["container", "--help"], ["help", "container"], ["compose", "--help"]]
)  # fmt: skip
def test_help_is_asked_for_in_many_ways(knarr: Knarr, words: list[str]) -> None:
    assert knarr(*words) == 0
    assert knarr.out.startswith("Usage:  knarr")
    assert knarr.err == ""


def test_a_group_alone_is_a_mistake_that_help_mends(knarr: Knarr) -> None:
    assert knarr("container") == 0
    assert knarr.out == ""
    assert knarr.err.startswith("Usage:  knarr container COMMAND")


def test_help_on_nothing_known(knarr: Knarr) -> None:
    assert knarr("help", "bogus") == 1
    assert knarr.err == "unknown help topic: bogus\n"


def test_words_wrap_to_the_width_and_a_short_last_one_may_stick_out() -> None:
    assert wrapped("aaa bbb ccc ddd eee fff ggg hhh", 4, 28) == (
        "aaa bbb ccc ddd\n    eee fff ggg hhh"
    )
    assert wrapped("first\nsecond", 4, 40) == "first\n    second"
    assert wrapped("text for a narrow place", 70, 79) == "\n" + " " * 16 + "text for a narrow place"


def test_defaults_are_shown_where_they_say_something() -> None:
    command = load("container ls")
    assert command is not None
    text = command_help(command, "knarr ps")
    assert "(default -1)" in text
    assert "default false" not in text
