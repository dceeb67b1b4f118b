"""Contestants take turns, so that a busy machine is busy for all of them."""

import math
import sys
import time
from collections.abc import Callable

Measure = Callable[[], float]
Table = dict[str, dict[str, list[float]]]  # what, by whom, seconds (or the unit in the name)


def take_turns(
    table: Table,
    rounds: int,
    contests: dict[str, dict[str, Measure]],
    until: float = math.inf,
) -> None:
    """Each measure once a round, in turn; the first round warms up.

    until: on the monotonic clock; no further round begins that would probably end later, but one
    is counted in any case.
    """
    for turn in range(rounds + 1):
        begun = time.monotonic()
        for what, contestants in contests.items():
            for who, measure in contestants.items():
                took = measure()
                print(f"  {turn}: {what}, {who}: {took:.3f}", file=sys.stderr, flush=True)
                if turn:
                    table.setdefault(what, {}).setdefault(who, []).append(took)
        now = time.monotonic()
        if turn and now + (now - begun) > until:
            print(f"  after {turn} rounds the time is over", file=sys.stderr, flush=True)
            return


def timed(action: Callable[[], object]) -> float:
    before = time.perf_counter()
    action()
    return time.perf_counter() - before
