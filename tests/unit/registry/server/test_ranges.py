import pytest

from knarr.registry.server.answers import asked_range


@pytest.mark.parametrize(
    ("header", "span"),
    [
        ("", None),
        ("bytes=0-", (0, 100)),
        ("bytes=10-19", (10, 20)),
        ("bytes=90-500", (90, 100)),
        ("bytes=-10", (90, 100)),
        ("bytes=-500", (0, 100)),
        ("bytes=0-0", (0, 1)),
        ("bytes=0-9,20-29", None),
        ("bytes=20-10", None),
        ("bytes=-", None),
        ("lines=1-2", None),
        ("bytes=a-b", None),
    ],
)
def test_one_range_is_served(header: str, span: tuple[int, int] | None) -> None:
    assert asked_range(header, 100) == span


@pytest.mark.parametrize("header", ["bytes=100-", "bytes=500-600", "bytes=-0"])
def test_a_range_outside_is_empty(header: str) -> None:
    span = asked_range(header, 100)
    assert span is not None
    assert span[0] >= span[1]
