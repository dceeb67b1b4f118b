"""STOPSIGNAL."""

import re
import signal
from dataclasses import dataclass
from typing import Self

from knarr.dockerfile.instruction import Plain, instruction
from knarr.dockerfile.line import Line
from knarr.dockerfile.stage import Stage
from knarr.errors import InvalidArgument


@instruction("STOPSIGNAL")
@dataclass(frozen=True, slots=True)
class StopSignal(Plain):
    """The signal that asks the container to end, by name or number.

    Source: Dockerfile reference, "STOPSIGNAL".
    """

    signal: str

    @classmethod
    def parse(cls, line: Line) -> Self:
        line.no_flags()
        return cls(line.only_word())

    def lower(self, stage: Stage) -> Stage:
        name = stage.expand(self.signal)
        if not _is_signal(name):
            raise InvalidArgument(f"invalid signal: {name}")
        return stage.configured(stop_signal=name).noted(f"STOPSIGNAL {name}")

    def expanded(self) -> tuple[str, ...]:
        return (self.signal,)


def _is_signal(name: str) -> bool:
    if name.isascii() and name.isdecimal():
        return 0 < int(name) <= signal.SIGRTMAX
    short = name.upper().removeprefix("SIG")
    if match := re.fullmatch(r"(?:RTMIN(?:\+(\d+))?|RTMAX(?:-(\d+))?)", short):
        return int(match[1] or match[2] or 0) <= signal.SIGRTMAX - signal.SIGRTMIN
    return f"SIG{short}" in signal.Signals.__members__
