import pytest

from knarr.errors import InvalidArgument
from knarr.units import duration_ns, duration_text, human_duration, human_size, size_bytes


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("0", 0),
        ("512", 512),
        ("1k", 1024),
        ("1.5g", 1610612736),
        ("64KiB", 65536),
        ("2MB", 2 << 20),
    ],
)
def test_sizes_are_read_in_powers_of_1024(text: str, count: int) -> None:
    assert size_bytes(text) == count


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "invalid size: ''"),
        ("m", "invalid size: 'm'"),
        ("1x", "invalid suffix: 'x'"),
        ("12mm", "invalid suffix: 'mm'"),
        ("1bb", "invalid suffix: 'bb'"),
        ("5.5.5", 'strconv.ParseFloat: parsing "5.5.5": invalid syntax'),
        ("1  k", 'strconv.ParseFloat: parsing "1 ": invalid syntax'),
    ],
)
def test_what_is_no_size_is_refused(text: str, problem: str) -> None:
    with pytest.raises(InvalidArgument) as refused:
        size_bytes(text)
    assert str(refused.value) == problem


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", 'time: invalid duration ""'),
        ("s", 'time: invalid duration "s"'),
        ("1", 'time: missing unit in duration "1"'),
        ("1h1", 'time: missing unit in duration "1h1"'),
        ("1d", 'time: unknown unit "d" in duration "1d"'),
        ("1 s", 'time: unknown unit " s" in duration "1 s"'),
    ],
)
def test_what_is_no_duration_is_refused(text: str, problem: str) -> None:
    with pytest.raises(InvalidArgument) as refused:
        duration_ns(text)
    assert str(refused.value) == problem


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0s"), (5400 * 10**9, "1h30m0s"), (1_500_000_000, "1.5s"), (300_000_000, "300ms"),
        (1_500, "1.5µs"), (61 * 10**9, "1m1s"), (7, "7ns"), (-(10**9), "-1s"),
    ],
)  # fmt: skip
def test_durations_are_printed_as_go_prints_them(count: int, text: str) -> None:
    assert duration_text(count) == text


@pytest.mark.parametrize(
    ("text", "count"), [("1h30m", 5400 * 10**9), ("1.5s", 1_500_000_000), ("300ms", 300_000_000)]
)
def test_durations_are_read_as_go_reads_them(text: str, count: int) -> None:
    assert duration_ns(text) == count


def test_sizes_are_shown_with_three_digits() -> None:
    assert [human_size(n) for n in (0, 999, 4_160_000, 1_234_567_890)] == [
        "0B", "999B", "4.16MB", "1.23GB",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0.2, "Less than a second"), (1, "1 second"), (59, "59 seconds"), (61, "About a minute"),
        (600, "10 minutes"), (3700, "About an hour"), (40 * 3600, "40 hours"),
        (5 * 86400, "5 days"), (20 * 86400, "2 weeks"), (100 * 86400, "3 months"),
        (800 * 86400, "2 years"),
    ],
)  # fmt: skip
def test_durations_are_shown_in_words(seconds: float, words: str) -> None:
    assert human_duration(seconds) == words
