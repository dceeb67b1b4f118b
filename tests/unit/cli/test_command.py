"""Commands from signatures, and the folder of all of them."""

import pytest

from knarr.cli.app import arguments_problem
from knarr.cli.cli import Cli
from knarr.cli.command import Annotated, Command, Flag, FlagGroup
from knarr.cli.words import SPELLINGS, find, load, module_name, paths


class Size(FlagGroup):
    rows: Annotated[int, Flag("Rows")] = 24
    wide: Annotated[bool, Flag("Wide")] = False


def made(function: object, **options: object) -> Command:
    return Command("x y", function, usage=None, interspersed=True, since="", note="")  # type: ignore[arg-type]


def test_positional_parameters_are_arguments_and_named_ones_flags() -> None:
    def show(
        cli: Cli,
        volume: str,
        label: str = "",
        *more: str,
        all_: Annotated[bool, Flag("All", short="-a")] = False,
        no_trunc: Annotated[tuple[str, ...], Flag("Whole")] = (),
    ) -> None:
        """Show it"""

    command = made(show)
    assert command.usage == "VOLUME [LABEL] [LABEL...]"
    assert (command.least, command.most) == (1, None)
    assert [option.name for option in command.options] == ["all", "no-trunc"]
    assert [option.kind.name for option in command.options] == ["", "list"]
    assert command.summary == "Show it"


def test_a_group_stands_for_all_its_flags() -> None:
    seen: list[Size] = []

    def show(cli: Cli, *, size: Size, quiet: Annotated[bool, Flag("Quiet")] = False) -> None:
        seen.append(size)

    command = made(show)
    assert [option.name for option in command.options] == ["rows", "wide", "quiet"]
    command.call(None, {"rows": 3}, [])
    assert (seen[0].rows, seen[0].wide) == (3, False)


@pytest.mark.parametrize(
    ("least", "most", "count", "problem"),
    [
        (0, 0, 1, "accepts no arguments"),
        (1, 1, 0, "requires 1 argument"),
        (2, 2, 3, "requires 2 arguments"),
        (1, None, 0, "requires at least 1 argument"),
        (2, None, 1, "requires at least 2 arguments"),
        (0, 1, 2, "requires at most 1 argument"),
        (1, None, 9, ""),
        (0, 1, 1, ""),
    ],
)
def test_a_wrong_number_of_arguments_is_told_in_dockers_words(
    least: int, most: int | None, count: int, problem: str
) -> None:
    def nothing(cli: Cli) -> None:
        """Nothing"""

    command = made(nothing)
    command.least, command.most = least, most
    assert arguments_problem(command, count) == problem


@pytest.mark.parametrize("path", paths())
def test_every_file_holds_the_command_of_its_path_and_explains_it(path: str) -> None:
    command = load(path)
    assert command is not None, f"{module_name(path)} does not declare {path!r}"
    assert command.summary, "its first line of help is missing"
    assert not command.summary.endswith(".")
    for option in command.options:
        assert option.flag.help, f"--{option.name} has no help"
        assert option.flag.short == "" or len(option.flag.short) == 2
    names = [option.name for option in command.options]
    assert len(names) == len(set(names))
    shorts = [option.flag.short for option in command.options if option.flag.short]
    assert len(shorts) == len(set(shorts))


@pytest.mark.parametrize(("word", "path"), SPELLINGS.items())
def test_every_spelling_leads_to_a_command(word: str, path: str) -> None:
    assert path in paths()
    assert find(word.split()) == (path, path if " " in word else word, [])


@pytest.mark.parametrize("path", ["../x", "_c", "a.b", "os", "container __init__", "", "é"])
def test_words_that_name_no_command_import_nothing(path: str) -> None:
    assert load(path) is None
