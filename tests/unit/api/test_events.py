from knarr.api.events import Span, span_of

NOW = 2_000_000_000_000_000_000


def test_a_span_without_words_is_from_now_on() -> None:
    assert span_of("", "", NOW) == Span()


def test_an_end_alone_asks_for_all_that_was() -> None:
    assert span_of("", "1700000000", NOW) == Span(since_ns=0, until_ns=1_700_000_000_000_000_000)
    assert span_of("1600000000", "", NOW) == Span(since_ns=1_600_000_000_000_000_000)
