"""YAML as compose files have it: values, lines, anchors, merges, tags."""

import pytest

from knarr.compose.document import documents
from knarr.compose.origin import ComposeFileError


def root(text: str) -> object:
    return documents(text, "compose.yaml")[0].root


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("true", True),
        ("TRUE", True),
        ("yes", "yes"),
        ("off", "off"),
        ('"true"', "true"),
        ("~", None),
        ("", None),
        ("8080", 8080),
        ("0777", 511),
        ("0o17", 15),
        ("0x1F", 31),
        ("-0b11", -3),
        ("08", 8.0),
        ("1_000", 1000),
        ("1.5", 1.5),
        ("1e3", 1000.0),
        (".5", 0.5),
        (".inf", float("inf")),
        ("22:22", "22:22"),
        ("2001-01-01", "2001-01-01"),
        ("!!str 123", "123"),
        ("!!int '3'", 3),
        ("!!float 3", 3.0),
        ("!other word", "word"),
        ("-", [None]),
        ("+x", "+x"),
    ],
)
def test_a_scalar_is_what_yaml_1_2_says(written: str, value: object) -> None:
    assert root(f"key:\n  {written}\n") == {"key": value}


def test_merge_keys_give_way_to_the_mappings_own_keys() -> None:
    text = """
    base: &base {image: a, tty: true}
    more: &more {image: b, init: true}
    web: {<<: [*base, *more], tty: false}
    """
    document = documents(text, "f")[0]
    assert document.root["web"] == {"image": "a", "init": True, "tty": False}


def test_an_anchor_may_be_used_again() -> None:
    assert root("[&a 1, *a, &a 2, *a]") == [1, 1, 2, 2]


def test_the_line_of_a_value_is_its_keys_line() -> None:
    document = documents("services:\n  web:\n    image: x\n    ports:\n    - 80\n    - 81\n", "f")[
        0
    ]
    assert str(document.origin(("services", "web", "image"))) == "f:3"
    assert str(document.origin(("services", "web", "ports", "1"))) == "f:6"
    assert str(document.origin(("services", "web", "nothing", "there"))) == "f:2"


def test_the_line_of_a_merged_value_is_where_it_is_written() -> None:
    document = documents("base: &b\n  image: x\nweb:\n  <<: *b\n", "f")[0]
    assert document.origin(("web", "image")).line == 2


def test_reset_and_override_are_noted() -> None:
    document = documents(
        "services:\n  web:\n    ports: !reset []\n    labels: !override {a: b}\n", "f"
    )[0]
    assert document.root == {"services": {"web": {"labels": {"a": "b"}}}}
    assert document.replaced == (("services", "web", "ports"), ("services", "web", "labels"))


def test_a_file_may_hold_several_documents_or_none() -> None:
    assert [each.root for each in documents("a: 1\n---\nb: 2\n", "f")] == [{"a": 1}, {"b": 2}]
    assert documents("# nothing here\n", "f") == []


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("a: 1\nb: 2\na: 3\n", 'f:3: mapping key "a" already defined at line 1'),
        ("services:\n  1: x\n", "f:2: non-string key in services: 1"),
        ("true: x\n", "f:1: non-string key at top level: true"),
        ("a: *b\n", "f:1: yaml: unknown anchor 'b' referenced"),
        ("a: &b\n  c: *b\n", "f:2: yaml: anchor 'b' value contains itself"),
        ("a:\n\tb: c\n", "f:2: yaml: found character that cannot start any token"),
        ("a: [1, 2\n", "f:2: yaml: did not find expected ',' or ']'"),
        ("a: &b 1\n<<: *b\n", "f:2: yaml: map merge requires map or sequence of maps"),
    ],
)
def test_what_is_wrong_is_told_with_its_line(text: str, complaint: str) -> None:
    with pytest.raises(ComposeFileError) as caught:
        documents(text, "f")
    assert complaint in str(caught.value)


def test_anchors_of_anchors_cannot_grow_without_bound() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 9)]
    with pytest.raises(ComposeFileError, match="excessive aliasing"):
        documents("\n".join(lines), "f")
