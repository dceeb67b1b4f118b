import pytest

from knarr.buildkit.caches import filters_of
from knarr.errors import InvalidArgument


def test_filters_as_clients_write_them() -> None:
    assert filters_of(["", "type==regular", "id=a", "id=b"]) == {
        "type": ["regular"], "id": ["a", "b"],
    }  # fmt: skip
    with pytest.raises(InvalidArgument, match="NAME=VALUE is known"):
        filters_of(["type~=x"])
