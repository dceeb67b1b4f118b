"""MAINTAINER."""

from dataclasses import dataclass, replace
from typing import Self

from knarr.dockerfile.instruction import Plain, instruction
from knarr.dockerfile.line import Line
from knarr.dockerfile.stage import Stage


@instruction("MAINTAINER")
@dataclass(frozen=True, slots=True)
class Maintainer(Plain):
    """The image's author. Long deprecated; a label says it better.

    Source: Dockerfile reference, "MAINTAINER (deprecated)".
    """

    author: str

    @classmethod
    def parse(cls, line: Line) -> Self:
        line.no_flags()
        return cls(line.only_word())

    def lower(self, stage: Stage) -> Stage:
        return replace(stage, author=self.author).noted(f"MAINTAINER {self.author}")
