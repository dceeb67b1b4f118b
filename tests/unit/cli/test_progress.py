import io
from typing import Any

import pytest

from knarr.cli.progress import bar, show_progress
from knarr.errors import KnarrError

PULL: list[dict[str, Any]] = [
    {"status": "Pulling from library/x", "id": "1"},
    {"status": "Pulling fs layer", "progressDetail": {}, "id": "aa"},
    {"status": "Downloading", "progressDetail": {"current": 50, "total": 100}, "id": "aa"},
    {"status": "Pull complete", "progressDetail": {}, "id": "aa"},
    {"status": "Digest: sha256:00"},
]


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True

    def fileno(self) -> int:
        return 0


def test_a_pipe_is_told_of_changes_and_not_of_every_piece() -> None:
    out = io.StringIO()
    show_progress(PULL, out)
    assert out.getvalue() == (
        "1: Pulling from library/x\naa: Pulling fs layer\naa: Pull complete\nDigest: sha256:00\n"
    )


def test_a_terminal_has_a_line_for_each_layer(monkeypatch: pytest.MonkeyPatch) -> None:
    import os

    monkeypatch.setattr(os, "get_terminal_size", lambda _: os.terminal_size((120, 24)))
    out = Terminal()
    show_progress(PULL, out)
    half = "=" * 25
    assert out.getvalue() == (
        "1: Pulling from library/x\n"
        "\n\x1b[1A\x1b[2K\raa: Pulling fs layer \r\x1b[1B"
        f"\x1b[1A\x1b[2K\raa: Downloading [{half}>{' ' * 25}]      50B/100B\r\x1b[1B"
        "\x1b[1A\x1b[2K\raa: Pull complete \r\x1b[1B"
        "Digest: sha256:00\n"
    )


@pytest.mark.parametrize(
    ("detail", "width", "text"),
    [
        ({}, 200, ""),
        ({"current": 5}, 200, "      5B"),
        ({"current": 50, "total": 100}, 80, "     50B/100B"),
        ({"current": 150, "total": 100}, 80, "    150B"),
        ({"current": 5, "total": 10, "hidecounts": True}, 80, ""),
        ({"current": 5, "total": 10, "units": "files"}, 80, " 5 files/10 files"),
        ({"current": 50, "total": 100, "start": 90}, 80, "     50B/100B 10s"),
    ],
)
def test_a_bar_says_what_is_known(detail: dict[str, Any], width: int, text: str) -> None:
    assert bar(detail, width, now=100) == text


def test_nothing_is_shown_where_nobody_looks() -> None:
    show_progress(PULL, None)


@pytest.mark.parametrize(
    "message",
    [{"errorDetail": {"message": "gone"}, "error": "gone"}, {"error": "gone"}],
)
def test_an_error_in_the_stream_is_raised(message: dict[str, Any]) -> None:
    out = io.StringIO()
    with pytest.raises(KnarrError, match="gone"):
        show_progress([*PULL[:1], message], out)
    assert out.getvalue() == "1: Pulling from library/x\n"


def test_extra_objects_go_to_whoever_wants_them() -> None:
    seen: list[object] = []
    out = io.StringIO()
    show_progress([{"aux": {"ID": "x"}}, {"stream": "Step 1"}], out, aux=seen.append)
    assert seen == [{"ID": "x"}]
    assert out.getvalue() == "Step 1"
