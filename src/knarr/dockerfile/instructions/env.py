"""ENV."""

from dataclasses import dataclass
from typing import Self

from knarr.dockerfile.instruction import Plain, instruction
from knarr.dockerfile.line import Line, Pair
from knarr.dockerfile.stage import Stage


@instruction("ENV")
@dataclass(frozen=True, slots=True)
class Env(Plain):
    """Variables of the image and of the steps that follow.

    All values of one instruction are expanded with what held before it.
    Source: Dockerfile reference, "ENV".
    """

    pairs: tuple[Pair, ...]

    @classmethod
    def parse(cls, line: Line) -> Self:
        line.no_flags()
        return cls(line.pairs())

    def lower(self, stage: Stage) -> Stage:
        values = [(stage.expand(pair.key), stage.expand(pair.value or "")) for pair in self.pairs]
        for name, value in values:
            stage = stage.with_env(name, value)
        return stage.noted("ENV " + " ".join(f"{name}={value}" for name, value in values))

    def expanded(self) -> tuple[str, ...]:
        return tuple(text for pair in self.pairs for text in (pair.key, pair.value or ""))
