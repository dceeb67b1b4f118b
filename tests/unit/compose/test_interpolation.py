"""Every form of a variable, and what goes wrong with them."""

import contextlib
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from knarr.compose.document import documents
from knarr.compose.interpolation import (
    InvalidTemplate,
    MissingVariable,
    Variable,
    interpolated,
    substitute,
    variables_in,
)
from knarr.compose.origin import ComposeFileError

VARIABLES = {"SET": "value", "EMPTY": "", "NAME": "SET", "_x1": "under"}


@pytest.mark.parametrize(
    ("template", "text"),
    [
        ("$SET", "value"),
        ("a-$SET-b", "a-value-b"),
        ("${SET}s", "values"),
        ("$_x1.", "under."),
        ("$UNSET|${UNSET}", "|"),
        ("$$SET", "$SET"),
        ("$$$SET", "$value"),
        ("100$ and $5", "100$ and $5"),
        ("${SET:-d}${EMPTY:-d}${UNSET:-d}", "valuedd"),
        ("${SET-d}${EMPTY-d}${UNSET-d}", "valued"),
        ("${SET:+r}|${EMPTY:+r}|${UNSET:+r}", "r||"),
        ("${SET+r}|${EMPTY+r}|${UNSET+r}", "r|r|"),
        ("${SET:?e}${SET?e}${EMPTY?e}", "valuevalue"),
        ("${UNSET:-}", ""),
        ("${UNSET:-a:-b?c}", "a:-b?c"),
        ("${UNSET:-${EMPTY:-$SET}}", "value"),
        ("${SET:+<${SET}>}", "<value>"),
        ("${UNSET:-a} ${SET}", "a value"),
        ('${UNSET:-{"a": {"b": 1}}}', '{"a": {"b": 1}}'),
        ("${UNSET:-{}", "{"),
        ("${UNSET:-$$5}", "$5"),
    ],
)
def test_each_form_expands(template: str, text: str) -> None:
    assert substitute(template, VARIABLES) == text


@pytest.mark.parametrize(
    "template", ["${", "${}", "${1A}", "${A b}", "${SET", "${A:-x\ny}", "${A!}"]
)
def test_a_template_that_fits_no_form_is_refused(template: str) -> None:
    with pytest.raises(InvalidTemplate):
        substitute(template, VARIABLES)


@pytest.mark.parametrize(
    ("template", "complaint"),
    [
        ("${UNSET?}", "required variable UNSET is missing a value"),
        ("${UNSET?give $NAME}", "required variable UNSET is missing a value: give SET"),
        ("${EMPTY:?no}", "required variable EMPTY is missing a value: no"),
        ("${SET:-${UNSET?no}}", "required variable UNSET is missing a value: no"),
    ],
)
def test_a_required_variable_must_be_there(template: str, complaint: str) -> None:
    with pytest.raises(MissingVariable) as caught:
        substitute(template, VARIABLES)
    assert str(caught.value) == complaint


def test_unset_variables_are_told_of() -> None:
    unset: list[str] = []
    substitute("$A ${B} ${C:-d} $SET $EMPTY", VARIABLES, unset.append)
    assert unset == ["A", "B"]


def test_only_values_are_expanded_and_errors_have_lines() -> None:
    document = documents("$SET:\n  - $SET\n  - 5\n", "f")[0]
    assert interpolated(document, VARIABLES, print) == {"$SET": ["value", 5]}
    broken = documents("services:\n  web:\n    image: a:${\n", "f")[0]
    with pytest.raises(ComposeFileError) as caught:
        interpolated(broken, {}, print)
    assert str(caught.value) == (
        "f:3: invalid interpolation format for services.web.image.\n"
        "You may need to escape any $ with another $.\na:${"
    )


def test_variables_are_listed_with_what_stands_in_for_them() -> None:
    tree = {"a": ["$$no $A ${B:-${C-c}}", 5], "b": "${D?} ${E:+e}"}
    assert list(variables_in(tree)) == [
        Variable(name="A"),
        Variable(name="B", default="${C-c}"),
        Variable(name="C", default="c"),
        Variable(name="D", required=True),
        Variable(name="E", alternative="e"),
    ]


names = st.from_regex(r"[A-Za-z_][A-Za-z0-9_]{0,8}", fullmatch=True)
values = st.text(alphabet=string.printable, max_size=12)


@given(st.text())
def test_text_without_a_dollar_is_left_alone(text: str) -> None:
    plain = text.replace("$", "")
    assert substitute(plain, {}) == plain


@given(st.text())
def test_doubling_every_dollar_protects_any_text(text: str) -> None:
    assert substitute(text.replace("$", "$$"), VARIABLES) == text


@given(names, values, values)
def test_the_value_is_inserted_as_it_is(name: str, value: str, other: str) -> None:
    """Dollars inside a value are not expanded again."""
    assert substitute(f"${{{name}}}", {name: value}) == value
    assert substitute(f"${{{name}-x}}", {name: value}) == value
    assert substitute(f"${{{name}:+x}}", {name: value}) == ("x" if value else "")


@given(names, st.text(alphabet=string.ascii_letters + " .,:/-?+", max_size=12))
def test_a_default_stands_in_for_an_unset_variable(name: str, default: str) -> None:
    assert substitute(f"<${{{name}:-{default}}}>", {}) == f"<{default}>"
    assert substitute(f"<${{{name}-{default}}}>", {name: ""}) == "<>"


@given(st.text(alphabet="${}:-+?aB_ ", max_size=20))
def test_any_template_expands_or_is_refused_by_meaning(template: str) -> None:
    with contextlib.suppress(InvalidTemplate, MissingVariable):
        substitute(template, {"a": "1"})
