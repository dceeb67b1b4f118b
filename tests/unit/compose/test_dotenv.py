"""Files of variables: what each way of writing gives."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from knarr.compose.dotenv import parse, parse_raw
from knarr.errors import InvalidArgument


@pytest.mark.parametrize(
    ("text", "variables"),
    [
        ("", {}),
        ("A=1\nB=2\n", {"A": "1", "B": "2"}),
        ("# comment\n\n  A=1", {"A": "1"}),
        ("export A=1\nexport\tB=2", {"A": "1", "B": "2"}),
        ("A =  1  \nB: 2", {"A": "1", "B": "2"}),
        ("A=", {"A": ""}),
        ("A=x # comment\nB=x#y\nC=#z", {"A": "x", "B": "x#y", "C": "#z"}),
        ("A='x # $B \\n'", {"A": "x # $B \\n"}),
        ("A='it\\'s'", {"A": "it's"}),
        ('A="x\\ty\\\\ \\"q\\" \\$B"', {"A": 'x\ty\\ "q" $B'}),
        ('A="\\0101"', {"A": "A"}),
        ('A="\\x41"', {"A": "\\x41"}),
        ('A="one\ntwo"\nB=3', {"A": "one\ntwo", "B": "3"}),
        ("A='one\ntwo'", {"A": "one\ntwo"}),
        ("A=1\nB=${A}2\nC=$OUT\nD=\"$A\"\nE='$A'", {
            "A": "1", "B": "12", "C": "out", "D": "1", "E": "$A",
        }),
        ("A=${UNSET:-d}\nB=$$A", {"A": "d", "B": "$A"}),
        ("OUT=mine\nB=$OUT", {"OUT": "mine", "B": "out"}),
        ("OUT\nNOWHERE\nA=1", {"OUT": "out", "A": "1"}),
        ("A.b-c[0]=1", {"A.b-c[0]": "1"}),
        ("\ufeffA=1", {"A": "1"}),
        ("A=a=b", {"A": "a=b"}),
        ("A=1\nA=2", {"A": "2"}),
    ],
)  # fmt: skip
def test_each_way_of_writing(text: str, variables: dict[str, str]) -> None:
    assert parse(text, {"OUT": "out"}) == variables


def test_earlier_files_are_looked_up_after_the_environment() -> None:
    assert parse("A=$X$Y", {"X": "env"}, {"X": "file", "Y": "file"}) == {"A": "envfile"}


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ('A=1\nB="open\n', 'line 2: unterminated quoted value "open'),
        ("A B=1", "line 1: key cannot contain a space"),
        ("\nA!=1", 'line 2: unexpected character "!" in variable name "A!=1"'),
    ],
)
def test_what_cannot_be_read_is_told_with_its_line(text: str, complaint: str) -> None:
    with pytest.raises(InvalidArgument) as caught:
        parse(text, {})
    assert str(caught.value) == complaint


def test_the_raw_format_knows_neither_quotes_nor_variables() -> None:
    text = "A='x' # $B\n# comment\n  C=1\nOUT\nNOWHERE\nE=\n"
    assert parse_raw(text, {"OUT": "out"}) == {"A": "'x' # $B", "C": "1", "OUT": "out", "E": ""}
    with pytest.raises(InvalidArgument, match="contains whitespaces"):
        parse_raw("A B=1", {})


@given(st.dictionaries(st.from_regex(r"[A-Z_]{1,6}", fullmatch=True), st.text(), max_size=4))
def test_single_quotes_keep_any_value_without_one(variables: dict[str, str]) -> None:
    plain = {
        name: value.replace("'", "").replace("\\", "").replace("\r", "")
        for name, value in variables.items()
    }
    text = "\n".join(f"{name}='{value}'" for name, value in plain.items())
    assert parse(text, {}) == plain


@given(st.text(alphabet="A=' \"\\$#\nx:{}", max_size=30))
def test_any_text_is_read_or_refused_by_meaning(text: str) -> None:
    with contextlib.suppress(InvalidArgument):
        parse(text, {})
