import pytest

from knarr.api.events import Span, form_of, framed, span_of

NOW = 2_000_000_000_000_000_000


def test_a_span_without_words_is_from_now_on() -> None:
    assert span_of("", "", NOW) == Span()


def test_an_end_alone_asks_for_all_that_was() -> None:
    assert span_of("", "1700000000", NOW) == Span(since_ns=0, until_ns=1_700_000_000_000_000_000)
    assert span_of("1600000000", "", NOW) == Span(since_ns=1_600_000_000_000_000_000)


@pytest.mark.parametrize(
    ("accepted", "version", "form"),
    [
        ("", (1, 51), "application/json"),
        ("*/*", (1, 52), "application/x-ndjson"),
        ("application/json", (1, 52), "application/x-ndjson"),
        ("text/html, application/json-seq;q=0.9", (1, 51), "application/json-seq"),
        ("application/jsonl", (1, 52), "application/jsonl"),
    ],
)
def test_a_client_chooses_the_form_of_the_stream(
    accepted: str, version: tuple[int, int], form: str
) -> None:
    assert form_of(accepted, version) == form


def test_a_text_sequence_begins_each_record_with_its_separator() -> None:
    assert framed(b"{}\n", "application/json-seq") == b"\x1e{}\n"
    assert framed(b"{}\n", "application/x-ndjson") == b"{}\n"
