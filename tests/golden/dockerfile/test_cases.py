"""Every case folder: its Dockerfile becomes the plan beside it, or is refused as it says."""

from pathlib import Path

import pytest

from knarr.errors import InvalidArgument, NotFound
from support import golden
from support.dockerfiles import describe, plan_case

HERE = Path(__file__).parent


@pytest.mark.parametrize("case", golden.cases(HERE / "accepted"), ids=lambda case: case.name)
def test_a_dockerfile_becomes_its_plan(case: Path) -> None:
    golden.check(case / "plan", describe(plan_case(case)))


@pytest.mark.parametrize("case", golden.cases(HERE / "negative"), ids=lambda case: case.name)
def test_a_wrong_dockerfile_is_refused_in_these_words(case: Path) -> None:
    with pytest.raises((InvalidArgument, NotFound)) as caught:
        plan_case(case)
    golden.check(case / "error", f"{caught.value}\n")


def rows() -> list[tuple[str, str, str]]:
    """What the language has (kind, instruction, item), and the cases that show it."""
    lines = (HERE / "coverage.tsv").read_text().splitlines()
    table = [line.split("\t") for line in lines if line and not line.startswith("#")]
    return [(item, accepted, negative) for item, accepted, negative in table]


def test_every_part_of_the_language_has_a_case_and_a_negative_twin() -> None:
    missing = [
        item
        for item, accepted, negative in rows()
        if not (HERE / "accepted" / accepted).is_dir()
        or not (HERE / "negative" / negative).is_dir()
    ]
    assert missing == []


def test_every_case_shows_some_part_of_the_language() -> None:
    named = {case for row in rows() for case in row[1:]}
    folders = [*golden.cases(HERE / "accepted"), *golden.cases(HERE / "negative")]
    assert [case.name for case in folders if case.name not in named] == []
