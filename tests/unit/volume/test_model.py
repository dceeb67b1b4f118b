import pytest

from knarr.errors import InvalidArgument
from knarr.volume.model import ANONYMOUS_LABEL, Volume, check_filters, check_name, passes, switch

DATA = Volume(
    name="data-1", driver="local", mountpoint="/v", created_ns=0, labels={"tier": "db", "x": ""}
)


@pytest.mark.parametrize("name", ["ab", "a.b_c-d", "0123", "a" * 255])
def test_names(name: str) -> None:
    check_name(name)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("a", "create a: volume name is too short, names should be at least two alphanumeric"),
        (".ab", 'create .ab: ".ab" includes invalid characters for a local volume name, only'),
        ("a/b", "If you intended to pass a host directory, use absolute path"),
        ("", "includes invalid characters"),
        ("a" * 256, "too long"),
    ],
)
def test_wrong_names_are_refused(name: str, message: str) -> None:
    with pytest.raises(InvalidArgument) as caught:
        check_name(name)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("filters", "passing"),
    [
        ({}, True),
        ({"name": ("ata",)}, True),
        ({"name": ("^ata",)}, False),
        ({"name": ("^data-[0-9]$",)}, True),
        ({"name": ("other", "data")}, True),
        ({"name": ("(",)}, False),
        ({"driver": ("local",)}, True),
        ({"driver": ("nfs",)}, False),
        ({"label": ("tier",)}, True),
        ({"label": ("tier=db", "x")}, True),
        ({"label": ("tier=web",)}, False),
        ({"label": ("tier", "none")}, False),
        ({"label!": ("tier=db",)}, False),
        ({"label!": ("none",)}, True),
        ({"dangling": ("true",)}, False),
        ({"dangling": ("0",)}, True),
    ],
)
def test_filters(filters: dict[str, tuple[str, ...]], passing: bool) -> None:
    assert passes(DATA, filters, in_use=True) is passing


def test_unknown_filters_are_refused() -> None:
    with pytest.raises(InvalidArgument, match=r"^invalid filter 'colour'$"):
        check_filters({"colour": ("red",)}, "name")


@pytest.mark.parametrize("values", [("maybe",), ("true", "false")])
def test_a_switch_has_one_plain_value(values: tuple[str, ...]) -> None:
    with pytest.raises(InvalidArgument, match=r"^invalid filter 'dangling=\["):
        switch({"dangling": values}, "dangling")


def test_anonymous_ones_are_known_by_their_label() -> None:
    labels = {ANONYMOUS_LABEL: ""}
    assert Volume(name="x", driver="local", mountpoint="", created_ns=0, labels=labels).anonymous
    assert not DATA.anonymous
