"""Numbers and durations as Go prints them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from knarr.compose.command import split
from knarr.compose.gotext import duration_text, float32, json_number, text_of
from knarr.compose.tree import in_order
from knarr.errors import InvalidArgument
from knarr.units import duration_ns


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "<nil>"),
        (True, "true"),
        (1, "1"),
        (1.0, "1"),
        (1.5, "1.5"),
        (-0.25, "-0.25"),
        (100000.0, "100000"),
        (1e6, "1e+06"),
        (1.5e-5, "1.5e-05"),
        (1e30, "1e+30"),
    ],
)
def test_values_print_as_go_prints_them(value: object, text: str) -> None:
    assert text_of(value) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [(1.0, "1"), (1e6, "1000000"), (1e21, "1e+21"), (0.000001, "0.000001"), (1e-7, "1e-7")],
)
def test_json_numbers(value: float, text: str) -> None:
    assert json_number(value) == text


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_json_numbers_keep_their_value(value: float) -> None:
    assert float(json_number(value)) == value


@pytest.mark.parametrize(("value", "kept"), [(0.1, 0.1), (0.333333333, 0.33333334), (2.0, 2.0)])
def test_numbers_of_32_bits(value: float, kept: float) -> None:
    assert float32(value) == kept


@pytest.mark.parametrize(
    ("nanoseconds", "text"),
    [
        (0, "0s"),
        (1, "1ns"),
        (1_500, "1.5µs"),
        (2_000_000, "2ms"),
        (1_500_000_000, "1.5s"),
        (90_000_000_000, "1m30s"),
        (3_600_000_000_000, "1h0m0s"),
        (-5_000_000_000, "-5s"),
    ],
)
def test_durations(nanoseconds: int, text: str) -> None:
    assert duration_text(nanoseconds) == text


@given(st.integers(min_value=-(10**15), max_value=10**15))
def test_a_duration_is_read_as_what_was_printed(nanoseconds: int) -> None:
    assert duration_ns(duration_text(nanoseconds)) == nanoseconds


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("", []),
        ("a  b\tc", ["a", "b", "c"]),
        ("'a b' \"c 'd'\"", ["a b", "c 'd'"]),
        ("a\\ b 'c\\d'", ["a b", "c\\d"]),
        ("a'b'c", ["abc"]),
        ('"" x', ["", "x"]),
        ("a && b", ["a"]),
        ("a; b", ["a"]),
        ("a 2>b", ["a"]),
        ("'a;b'", ["a;b"]),
        ("echo $(a b) `c d`", ["echo", "$(a b)", "`c d`"]),
    ],
)
def test_commands_split_as_compose_splits_them(line: str, words: list[str]) -> None:
    assert split(line) == words


@pytest.mark.parametrize("line", ["'a", 'a "b', "a\\", "a (b", "a) b", "`a"])
def test_an_open_quote_is_refused(line: str) -> None:
    with pytest.raises(InvalidArgument):
        split(line)


def test_keys_sort_by_the_value_of_their_numbers() -> None:
    keys = ["a10", "a9", "b", "B", "a", "a-b", "a.b", "_x", "a09"]
    assert in_order(keys, natural=True) == ["_x", "B", "a", "a-b", "a.b", "a9", "a09", "a10", "b"]
    assert in_order(["b", "B", "a10", "a9"], natural=False) == ["B", "a10", "a9", "b"]
