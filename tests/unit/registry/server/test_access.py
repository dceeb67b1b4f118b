import pytest

from knarr.errors import InvalidArgument
from knarr.registry.challenge import scope
from knarr.registry.server.access import OPEN, USERS_ONLY, parse_access

RULES = parse_access("""
# comment
anna   team/**     pull,push,delete
*      public/*    pull        # for all
@      **          pull
""")


@pytest.mark.parametrize(
    ("user", "repository", "rights"),
    [
        ("anna", "team/a/b", {"pull", "push", "delete"}),
        ("anna", "teams/a", {"pull"}),
        ("bert", "team/a", {"pull"}),
        ("", "team/a", set()),
        ("", "public/a", {"pull"}),
        ("", "public/a/b", set()),
        ("", "public", set()),
    ],
)
def test_rights_add_up(user: str, repository: str, rights: set[str]) -> None:
    assert RULES.rights(user, repository) == rights


def test_a_token_is_good_for_what_was_asked_and_may_be() -> None:
    asked = [scope("team/a", "pull", "push"), scope("public/a", "*"), scope("other", "push")]
    granted = RULES.granted("bert", asked)
    assert [str(each) for each in granted] == ["repository:team/a:pull", "repository:public/a:pull"]


def test_a_pattern_is_no_regular_expression() -> None:
    rules = parse_access("* a.b+c/** pull")
    assert rules.rights("", "a.b+c/x") == {"pull"}
    assert not rules.rights("", "aXbbc/x")


def test_without_rules_everybody_or_every_user() -> None:
    assert "delete" in OPEN.rights("", "x")
    assert not USERS_ONLY.rights("", "x")
    assert "push" in USERS_ONLY.rights("anna", "x/y")


@pytest.mark.parametrize("line", ["anna", "anna x", "anna x fly", "anna x pull push"])
def test_a_line_that_means_nothing_is_named(line: str) -> None:
    with pytest.raises(InvalidArgument, match="line 2"):
        parse_access("\n" + line)
