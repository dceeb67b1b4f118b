import pytest
from hypothesis import given
from hypothesis import strategies as st

from knarr.daemon.settings import settings_of
from knarr.daemon.subids import spans_of
from knarr.errors import InvalidArgument
from knarr.kernel.owners import Span

TEXT = "ana:100000:65536\n\n# a remark\nben:165536:10\n1001:300000:20\nben:400000:5\n"


def test_ranges_are_laid_one_after_the_other() -> None:
    assert spans_of(TEXT, {"ana"}, "f") == (Span(0, 100000, 65536),)
    assert spans_of(TEXT, {"ben"}, "f") == (Span(0, 165536, 10), Span(10, 400000, 5))


def test_a_range_may_be_given_to_a_name_or_to_a_number() -> None:
    assert spans_of(TEXT, {"ben", "1001"}, "f")[1] == Span(10, 300000, 20)


def test_who_has_no_range_is_told_which_line_to_add() -> None:
    with pytest.raises(InvalidArgument, match="/etc/subuid has no range for cleo: add the line cl"):
        spans_of(TEXT, {"cleo", "1002"}, "/etc/subuid")


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("ana:100000", "f:1: 'ana:100000' is not NAME:FIRST:COUNT"),
        ("ana:x:1", "f:1: 'ana:x:1' is not NAME:FIRST:COUNT"),
        ("ana:1:0", "f:1: 'ana:1:0' is no range of numbers"),
        ("ana:4294967295:1", "f:1: 'ana:4294967295:1' is no range of numbers"),
        ("ana:0:65536", "f gives root's own number to ana"),
    ],
)
def test_a_range_that_makes_no_sense_is_refused_by_its_line(line: str, words: str) -> None:
    with pytest.raises(InvalidArgument, match=words):
        spans_of(line, {"ana"}, "f")


@given(st.lists(st.tuples(st.integers(1, 2**31), st.integers(1, 2**20)), min_size=1, max_size=9))
def test_numbers_inside_have_no_gap(ranges: list[tuple[int, int]]) -> None:
    text = "".join(f"ana:{first}:{size}\n" for first, size in ranges)
    spans = spans_of(text, {"ana"}, "f")
    assert [(span.outside, span.size) for span in spans] == ranges
    assert [span.inside for span in spans] == [
        sum(size for _, size in ranges[:place]) for place in range(len(ranges))
    ]


def test_the_setting_is_off_unless_asked_for() -> None:
    assert settings_of([], {}).remap is None
    with pytest.raises(InvalidArgument, match="has no range for no-such-user"):
        settings_of([], {"KNARR_USERNS_REMAP": "no-such-user"})
    with pytest.raises(InvalidArgument, match="--userns-remap ana:: write USER or USER:GROUP"):
        settings_of(["--userns-remap=ana:"], {})
