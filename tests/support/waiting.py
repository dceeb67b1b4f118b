"""Waiting for what will come, however busy the machine is."""

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def until(probe: Callable[[], T], *, seconds: float = 30.0, say: Callable[[], str] = str) -> T:
    """The first answer of ``probe`` that is true. say: what to tell when there is none."""
    deadline = time.monotonic() + seconds
    while True:
        if answer := probe():
            return answer
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {seconds:g}s: {say() or probe}")
        time.sleep(0.05)
