"""Signals by name and by number."""

import signal
from typing import Final

from knarr.errors import InvalidArgument

_REAL_TIME_FIRST: Final = 34  # glibc and musl keep 32 and 33 to themselves
_REAL_TIME_LAST: Final = 64


def _names() -> dict[str, int]:
    names = {
        each.name.removeprefix("SIG"): int(each)
        for each in signal.Signals
        if not each.name.startswith("SIGRT")
    }
    names |= {"IOT": 6, "CLD": 17, "POLL": 29, "STKFLT": 16}
    span = _REAL_TIME_LAST - _REAL_TIME_FIRST
    names |= {f"RTMIN+{i}" if i else "RTMIN": _REAL_TIME_FIRST + i for i in range(span // 2 + 1)}
    names |= {f"RTMAX-{i}" if i else "RTMAX": _REAL_TIME_LAST - i for i in range(span // 2)}
    return names


NUMBERS: Final = _names()


def signal_number(text: str) -> int:
    """The number of ``SIGTERM``, ``term``, ``15``, ``RTMIN+3``. Raises InvalidArgument."""
    if text.removeprefix("-").isdecimal():
        number = int(text)
        if not 0 < number <= _REAL_TIME_LAST:
            raise InvalidArgument(f"invalid signal: {text}")
        return number
    if (found := NUMBERS.get(text.upper().removeprefix("SIG"))) is None:
        raise InvalidArgument(f"invalid signal: {text}")
    return found
