import pytest

from knarr.errors import InvalidArgument
from knarr.snapshot import DiskSize, wanted_size
from knarr.snapshot.disksize import BLOCK

MIB = 1 << 20


@pytest.mark.parametrize(
    ("text", "size"),
    [("120G", 120 << 30), ("8m", 8 * MIB), ("8388608", 8 * MIB), ("1.5GiB", 3 << 29)],
)
def test_a_size_is_written_as_any_other(text: str, size: int) -> None:
    assert wanted_size({"size": text}) == DiskSize(usable_bytes=size)
    assert wanted_size({"Size": text}) == DiskSize(usable_bytes=size)


def test_no_option_and_nought_are_no_bound() -> None:
    assert wanted_size({}) is None
    assert wanted_size({"size": "0"}) is None


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"size": "7m"}, "--storage-opt size=7m: the least is 8MiB, the most 8TiB"),
        ({"size": "-1"}, "--storage-opt size=-1: the least is 8MiB, the most 8TiB"),
        ({"size": "9t"}, "--storage-opt size=9t: the least is 8MiB, the most 8TiB"),
        ({"size": ""}, "invalid size: ''"),
        ({"size": "much"}, "invalid size: 'much'"),
        ({"sise": "1g"}, "unknown storage option 'sise': there is only size"),
    ],
)
def test_what_is_no_size_is_refused(options: dict[str, str], message: str) -> None:
    with pytest.raises(InvalidArgument) as caught:
        wanted_size(options)
    assert str(caught.value) == message


@pytest.mark.parametrize("usable", [8 * MIB, 255 * MIB, 256 * MIB, 5 << 30, 8 << 40])
def test_the_file_is_larger_by_what_ext4_needs_and_not_by_much_more(usable: int) -> None:
    size = DiskSize(usable_bytes=usable)
    needs = size.journal_bytes + usable // 64
    assert size.file_bytes % BLOCK == 0
    assert usable + needs < size.file_bytes < 1.02 * (usable + needs) + 20 * MIB
