"""Every check finds what its case has, and nothing in the clean twin."""

from pathlib import Path

import pytest

from knarr.dockerfile import checks as _registered  # noqa: F401
from knarr.dockerfile.check import RULES, Finding, Subject, findings
from knarr.patterns import IgnoreRules
from support import golden
from support.dockerfiles import plan_case

HERE = Path(__file__).parent / "checks"


def found_in(case: Path) -> list[Finding]:
    ignore = case / "dockerignore"
    rules = IgnoreRules.parse(ignore.read_text()) if ignore.exists() else None
    return findings(Subject(plan=plan_case(case, all_stages=True), ignore=rules))


@pytest.mark.parametrize("rule", sorted(RULES))
def test_a_check_finds_what_is_there(rule: str) -> None:
    case = HERE / rule / "found"
    found = found_in(case)
    assert rule in {each.rule.name for each in found}
    golden.check(case / "warnings", "\n".join(each.text for each in found))


@pytest.mark.parametrize("rule", sorted(RULES))
def test_a_check_finds_nothing_in_what_is_right(rule: str) -> None:
    assert [each.text for each in found_in(HERE / rule / "clean")] == []


@pytest.mark.parametrize("case", golden.cases(HERE / "_skipped"), ids=lambda case: case.name)
def test_what_the_file_says_to_skip_is_not_told(case: Path) -> None:
    golden.check(case / "warnings", "\n".join(each.text for each in found_in(case)))


def test_a_rule_has_a_page_of_its_own() -> None:
    assert RULES["JSONArgsRecommended"].url.endswith("/rule/json-args-recommended/")
    assert RULES["StageNameCasing"].url.endswith("/rule/stage-name-casing/")
