"""When to try again, and how long to wait before.

Exponential, with jitter; the server's own word goes first. Pure: the random number is an argument.
"""

import email.utils
from dataclasses import dataclass
from datetime import UTC, datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryPolicy:
    """attempts: in a row without progress, the first included.

    longest_wait_s: a server that asks for more patience than this is believed, and given up.
    """

    attempts: int = 5
    first_wait_s: float = 1.0
    longest_wait_s: float = 30.0

    def wait_s(self, failures: int, chance: float, asked_s: float | None = None) -> float | None:
        """Seconds to wait after so many failures in a row; None means: give up.

        chance: from 0 to 1; spreads those who failed at the same moment over half the time.
        asked_s: what ``Retry-After`` said.
        """
        if failures >= self.attempts:
            return None
        if asked_s is not None:
            return asked_s if asked_s <= self.longest_wait_s else None
        doubled: float = self.first_wait_s * 2 ** (failures - 1)
        return min(doubled, self.longest_wait_s) * (1 - chance / 2)


def retry_after_s(value: str | None, now: datetime) -> float | None:
    """Seconds of a ``Retry-After`` header, which is a number of them or a date; else None.

    Source: RFC 9110, 10.2.3.
    """
    if not value:
        return None
    if value.strip().isascii() and value.strip().isdecimal():
        return float(value)
    try:
        moment = email.utils.parsedate_to_datetime(value)
    except ValueError:
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return max(0.0, (moment - now).total_seconds())


def is_transient(status: int) -> bool:
    """Whether the same request may well succeed a little later."""
    return status in (408, 425, 429) or (status >= 500 and status != 501)
