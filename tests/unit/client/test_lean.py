import json
from typing import Any
from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from knarr.client.lean import dumps, loads, quote

values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@given(values)
def test_json_is_read_and_written_as_the_standard_library_does(value: Any) -> None:
    assert dumps(value) == json.dumps(value, separators=(",", ":"))
    assert loads(json.dumps(value, indent=1)) == value


@pytest.mark.parametrize("text", ["", "  ", "[1", "{", "1 2", "nul", '{"a":}', '"a'])
def test_what_is_no_json_is_a_value_error(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011
        loads(text)


@given(st.text(alphabet=st.characters(exclude_categories=["Cs"])))
def test_quoted_text_comes_back(text: str) -> None:
    assert unquote(quote(text)) == text
    assert quote(text).isascii()
    assert "/" not in quote(text)
