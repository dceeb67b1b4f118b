"""LABEL."""

from dataclasses import dataclass
from typing import Self

from knarr.dockerfile.instruction import Plain, instruction
from knarr.dockerfile.line import Line, Pair
from knarr.dockerfile.stage import Stage


@instruction("LABEL")
@dataclass(frozen=True, slots=True)
class Label(Plain):
    """Labels of the image; the base's stay unless they are set anew.

    Source: Dockerfile reference, "LABEL".
    """

    pairs: tuple[Pair, ...]

    @classmethod
    def parse(cls, line: Line) -> Self:
        line.no_flags()
        return cls(line.pairs())

    def lower(self, stage: Stage) -> Stage:
        new = {stage.expand(pair.key): stage.expand(pair.value or "") for pair in self.pairs}
        stage = stage.configured(labels={**stage.config.labels, **new})
        return stage.noted("LABEL " + " ".join(f"{name}={value}" for name, value in new.items()))

    def expanded(self) -> tuple[str, ...]:
        return tuple(text for pair in self.pairs for text in (pair.key, pair.value or ""))
