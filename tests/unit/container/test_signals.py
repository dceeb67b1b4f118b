import pytest

from knarr.container.signals import signal_number
from knarr.errors import InvalidArgument


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("SIGTERM", 15),
        ("term", 15),
        ("9", 9),
        ("sigusr1", 10),
        ("RTMIN", 34),
        ("SIGRTMIN+3", 37),
        ("RTMAX", 64),
        ("rtmax-1", 63),
        ("SIGCHLD", 17),
        ("CLD", 17),
        ("WINCH", 28),
    ],
)
def test_signals_by_name_and_number(text: str, number: int) -> None:
    assert signal_number(text) == number


@pytest.mark.parametrize("text", ["", "0", "-1", "65", "SIGNOPE", "RTMIN+99", "1.5"])
def test_what_is_no_signal_is_refused(text: str) -> None:
    with pytest.raises(InvalidArgument, match=rf"^invalid signal: {text.replace('+', '[+]')}$"):
        signal_number(text)
