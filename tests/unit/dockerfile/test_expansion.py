"""Variables in words."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from knarr.dockerfile.expansion import ExpansionError, expand, trim

VARIABLES = {"x": "value", "empty": "", "path": "a/b.tar.gz", "dots": "..", "한": "국"}


@pytest.mark.parametrize(
    ("word", "result"),
    [
        ("$x", "value"),
        ("${x}y", "valuey"),
        ("$xy", ""),
        ("$no", ""),
        ("${no:-d}", "d"),
        ("${empty:-d}", "d"),
        ("${empty-d}", ""),
        ("${no-d}", "d"),
        ("${x:+y}", "y"),
        ("${empty:+y}", ""),
        ("${empty+y}", "y"),
        ("${no+y}", ""),
        ("${x:?m}", "value"),
        ("${empty?m}", ""),
        ("${no:-${x}}", "value"),
        ("${no:-'$x'}", "$x"),
        ('${no:-"}"}', "}"),
        ("${path#*/}", "b.tar.gz"),
        ("${path##*.}", "gz"),
        ("${path%.*}", "a/b.tar"),
        ("${path%%.*}", "a/b"),
        ("${dots%.}", "."),
        ("${path#z}", "a/b.tar.gz"),
        ("${path/tar/zip}", "a/b.zip.gz"),
        ("${path//./_}", "a/b_tar_gz"),
        ("${path/\\//-}", "a-b.tar.gz"),
        ("${path/*/}", ""),
        ("\\$x", "$x"),
        ("\\${x}", "${x}"),
        ("'$x'", "$x"),
        ('"$x"', "value"),
        ('"\\$x"', "$x"),
        ('"\\a"', "\\a"),
        ("\\a", "a"),
        ("it\\'s", "it's"),
        ("a'b \"c'd", 'ab "cd'),
        ("$", "$"),
        ("a$ b", "a$ b"),
        ("$1", ""),
        ("$001a", "a"),
        ("${001:-d}", "d"),
        ("${한}", "국"),
        ("end\\", "end"),
    ],
)
def test_a_word_becomes(word: str, result: str) -> None:
    assert expand(word, VARIABLES).text == result


@pytest.mark.parametrize(
    ("word", "problem"),
    [
        ("${x", "missing '}'"),
        ("${", "missing '}'"),
        ("${}", "bad substitution"),
        ("${:x}", "bad substitution"),
        ("${{x}", "bad substitution"),
        ("${x:-y", "missing '}'"),
        ("${x:=y}", r"unsupported modifier \(:=\)"),
        ("${x!y}", "unsupported modifier"),
        ("${no?}", "no: is not allowed to be unset"),
        ("${no:?}", "no: is not allowed to be unset"),
        ("${empty:?}", "empty: is not allowed to be empty"),
        ("${no?give it}", "no: give it"),
        ("${x/a}", "missing '/'"),
        ("${x#\\a}", "invalid escape"),
        ("'x", "single-quote"),
        ('"x', "double-quote"),
        ('"x\\', "double-quote"),
    ],
)
def test_a_broken_word_is_refused(word: str, problem: str) -> None:
    with pytest.raises(ExpansionError, match=problem):
        expand(word, VARIABLES)


def test_another_escape_character_leaves_backslashes_alone() -> None:
    assert expand("c:\\$x`$x", VARIABLES, escape="`").text == "c:\\value$x"


def test_only_unquoted_blanks_split_words() -> None:
    variables = {"ports": "80 443"}
    assert expand("$ports '8 0' \"9 $ports\" a\\ b", variables).words == (
        "80", "443", "8 0", "9 80 443", "a b",
    )  # fmt: skip


def test_quotes_can_be_plain_characters() -> None:
    assert expand('it\'s "$x"', VARIABLES, quotes=False).text == 'it\'s "value"'


def test_names_are_told_apart_by_whether_they_had_a_value() -> None:
    expanded = expand("$x ${no:-$neither} ${empty}", VARIABLES)
    assert expanded.found == {"x", "empty"}
    assert expanded.missing == {"neither"}, "the default stands in for the other"


@given(st.text())
def test_single_quotes_keep_everything(text: str) -> None:
    word = text.replace("'", "")
    assert expand(f"'{word}'", {"a": "b"}).text == word


@given(st.text(alphabet="abc*?.$", max_size=20))
def test_an_escaped_word_is_itself(text: str) -> None:
    assert expand("".join(f"\\{char}" for char in text), {"a": "b"}).text == text


@given(st.text(alphabet="$x{}:-+?#%/\\'\" a*", max_size=30))
def test_any_word_is_expanded_or_refused(word: str) -> None:
    with suppress(ExpansionError):
        expanded = expand(word, VARIABLES)
        assert not (expanded.found & expanded.missing)


@given(st.text("ab", max_size=12), st.text("ab?*", max_size=6))
def test_the_longest_cut_is_never_shorter_than_the_shortest(value: str, pattern: str) -> None:
    for suffix in (False, True):
        short = trim(value, pattern, suffix=suffix, longest=False)
        long = trim(value, pattern, suffix=suffix, longest=True)
        assert len(long) <= len(short)
        assert value.startswith(long) if suffix else value.endswith(long)
