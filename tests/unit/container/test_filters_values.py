import pytest

from knarr.container.filters import check_values
from knarr.errors import InvalidArgument


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("status", "nosuch"),
        ("health", "bad"),
        ("exited", "x"),
        ("is-task", "x"),
        ("publish", "x"),
        ("expose", "80-x"),
    ],
)
def test_a_value_that_no_container_can_have_is_refused(name: str, value: str) -> None:
    with pytest.raises(InvalidArgument, match=f"invalid filter '{name}={value}'"):
        check_values({name: ("1", value) if name in {"exited", "publish", "expose"} else (value,)})


def test_values_that_one_may_have_are_taken() -> None:
    check_values({
        "status": ("running",), "health": ("none", "healthy"), "exited": ("-1", "137"),
        "is-task": ("False",), "publish": ("80/udp",), "expose": ("8000-8010/tcp",), "name": ("x",),
    })  # fmt: skip
