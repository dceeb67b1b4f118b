"""Wildcards and ignore rules."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from knarr.errors import InvalidArgument
from knarr.patterns import IgnoreRules, ignore_lines, wildcard


@pytest.mark.parametrize(
    ("pattern", "path", "matches"),
    [
        ("*.go", "main.go", True),
        ("*.go", "cmd/main.go", False),
        ("a?c", "abc", True),
        ("a?c", "a/c", False),
        ("[a-c]x", "bx", True),
        ("[^a-c]x", "bx", False),
        ("[^a-c]x", "dx", True),
        ("[^a]", "/", False),
        ("\\*", "*", True),
        ("\\*", "a", False),
        ("[[]x", "[x", True),
        ("arr[[]0].txt", "arr[0].txt", True),
        ("**", "a/b", False),
        ("a.b", "axb", False),
        ("[]a]", "x", None),
        ("[z-a]", "b", False),
        ("[\\]]", "]", True),
    ],
)
def test_a_wildcard_matches_as_in_go(pattern: str, path: str, matches: bool | None) -> None:
    if matches is None:
        with pytest.raises(InvalidArgument):
            wildcard(pattern)
    else:
        assert bool(wildcard(pattern).fullmatch(path)) is matches


@pytest.mark.parametrize("pattern", ["[a", "[", "a\\", "[-]", "[a-", "[]"])
def test_a_broken_wildcard_is_refused(pattern: str) -> None:
    with pytest.raises(InvalidArgument):
        wildcard(pattern)


@pytest.mark.parametrize(
    ("pattern", "path", "matches"),
    [
        ("**/*.go", "main.go", True),
        ("**/*.go", "a/b/main.go", True),
        ("a/**/b", "a/b", True),
        ("a/**/b", "a/x/y/b", True),
        ("a/**", "a/x/y", True),
        ("**/foo", "xfoo", False),
        ("a**b", "a/x/b", True),
    ],
)
def test_two_stars_stand_for_any_depth(pattern: str, path: str, matches: bool) -> None:
    assert bool(wildcard(pattern, any_depth=True).fullmatch(path)) is matches


def test_the_last_matching_rule_decides() -> None:
    rules = IgnoreRules.parse("*.md\n!README*.md\nREADME-secret.md\n")
    assert rules.excludes("notes.md")
    assert not rules.excludes("README.md")
    assert rules.excludes("README-secret.md")


def test_a_rule_for_a_directory_covers_what_lies_beneath() -> None:
    rules = IgnoreRules.parse("build\n!build/keep\n")
    assert rules.excludes("build/a/b")
    assert not rules.excludes("build/keep/x")
    assert not rules.excludes("src/build"), "patterns count from the root, unlike git's"


def test_comments_blanks_a_bom_and_leading_slashes_mean_nothing() -> None:
    assert ignore_lines("\ufeff# c\n\n  /a/  \n#b\n #kept\n") == ["/a/", "#kept"]
    rules = IgnoreRules.parse("\ufeff/a/\n.\n")
    assert rules.excludes("a/b")
    assert not rules.excludes("b")


def test_an_exception_to_nothing_is_refused() -> None:
    with pytest.raises(InvalidArgument, match='illegal exclusion pattern: "!"'):
        IgnoreRules.parse("!\n")


def test_a_directory_is_entered_only_if_something_in_it_may_come_back() -> None:
    rules = IgnoreRules.parse("*\n!src/**\n")
    assert rules.prunes("node_modules")
    assert not rules.prunes("src")
    assert not IgnoreRules.parse("*\n!**/x\n").prunes("anything")


PATHS = st.lists(st.text("abc.", min_size=1, max_size=3), min_size=1, max_size=4).map("/".join)


@given(PATHS)
def test_a_path_matches_itself_escaped(path: str) -> None:
    assert wildcard("".join(f"\\{char}" for char in path)).fullmatch(path)


@given(st.text("ab*?[]^-\\/!.", max_size=12), PATHS)
def test_any_pattern_is_answered_or_refused(pattern: str, path: str) -> None:
    try:
        rules = IgnoreRules.of([pattern])
    except InvalidArgument:
        return
    if rules.prunes(path):
        assert rules.excludes(f"{path}/beneath")
