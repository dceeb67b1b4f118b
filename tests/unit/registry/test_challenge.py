import pytest
from hypothesis import given
from hypothesis import strategies as st

from knarr.registry.challenge import parse_challenges, parse_scopes, scope, united

HUB = (
    'Bearer realm="https://auth.docker.io/token",service="registry.docker.io",'
    'scope="repository:library/debian:pull,push"'
)


def test_a_comma_within_quotes_does_not_end_a_parameter() -> None:
    (challenge,) = parse_challenges([HUB])
    assert challenge.scheme == "bearer"
    assert challenge.parameters == {
        "realm": "https://auth.docker.io/token",
        "service": "registry.docker.io",
        "scope": "repository:library/debian:pull,push",
    }


@pytest.mark.parametrize(
    "lines",
    [
        ['Basic realm="a b", Bearer realm="https://t",service=s'],
        ['Basic realm="a b"', 'Bearer realm="https://t",service=s'],
        ['BASIC realm="a b" , bearer  Realm = "https://t" , service=s'],
    ],
)
def test_several_challenges_are_kept_apart(lines: list[str]) -> None:
    basic, bearer = parse_challenges(lines)
    assert (basic.scheme, basic.parameters) == ("basic", {"realm": "a b"})
    assert (bearer.scheme, bearer.parameters) == ("bearer", {"realm": "https://t", "service": "s"})


def test_a_quoted_character_stands_for_itself() -> None:
    (challenge,) = parse_challenges([r'Basic realm="say \"a\\b\""'])
    assert challenge.parameters["realm"] == 'say "a\\b"'


def test_a_scheme_without_parameters_is_a_challenge() -> None:
    assert [each.scheme for each in parse_challenges(["Negotiate", "Basic"])] == [
        "negotiate",
        "basic",
    ]


@given(st.text(max_size=200))
def test_no_header_breaks_the_reader(line: str) -> None:
    for challenge in parse_challenges([line]):
        assert challenge.scheme == challenge.scheme.lower()


@given(st.text(alphabet='Bearer =",\\ ', max_size=4000))
def test_a_hostile_header_is_read_in_linear_time(line: str) -> None:
    parse_challenges([line * 10])


def test_scopes_are_read_and_malformed_ones_left_out() -> None:
    found = parse_scopes(
        "repository:a/b:push,pull registry:catalog:* nonsense repository(x):c:pull"
    )
    assert {str(each) for each in found} == {
        "repository:a/b:pull,push",
        "registry:catalog:*",
        "repository(x):c:pull",
    }


def test_scopes_on_one_thing_are_joined() -> None:
    joined = united([scope("a", "pull")], [scope("b", "pull"), scope("a", "push", "pull")])
    assert [str(each) for each in joined] == ["repository:a:pull,push", "repository:b:pull"]
