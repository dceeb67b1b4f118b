"""ARG."""

from dataclasses import dataclass
from typing import Self

from knarr.dockerfile.instruction import Plain, instruction
from knarr.dockerfile.line import Line, Pair
from knarr.dockerfile.stage import Stage


@instruction("ARG")
@dataclass(frozen=True, slots=True)
class Arg(Plain):
    """Variables that the client may set, from here to the end of the stage.

    Without a default, the value is that of the global ARG of the same name.
    Source: Dockerfile reference, "ARG", "Scope".
    """

    pairs: tuple[Pair, ...]

    @classmethod
    def parse(cls, line: Line) -> Self:
        line.no_flags()
        return cls(line.names_or_pairs())

    def lower(self, stage: Stage) -> Stage:
        notes: list[str] = []
        for pair in self.pairs:
            value = self._value(pair, stage)
            stage = stage.with_argument(pair.key, value)
            notes.append(pair.key if value is None else f"{pair.key}={value}")
        return stage.noted(f"ARG {' '.join(notes)}")

    @staticmethod
    def _value(pair: Pair, stage: Stage) -> str | None:
        if pair.key in stage.world.build_args:
            return stage.world.build_args[pair.key]
        if pair.value is not None:
            return stage.expand(pair.value)
        return stage.world.global_args.get(pair.key)

    def expanded(self) -> tuple[str, ...]:
        return tuple(pair.value for pair in self.pairs if pair.value)
