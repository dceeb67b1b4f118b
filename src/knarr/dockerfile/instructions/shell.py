"""SHELL."""

from dataclasses import dataclass
from typing import Self

from knarr.dockerfile.instruction import Plain, instruction
from knarr.dockerfile.line import Line
from knarr.dockerfile.stage import Stage


@instruction("SHELL")
@dataclass(frozen=True, slots=True)
class Shell(Plain):
    """The program that runs the shell forms from here on.

    Source: Dockerfile reference, "SHELL".
    """

    words: tuple[str, ...]

    @classmethod
    def parse(cls, line: Line) -> Self:
        line.no_flags()
        words = line.json()
        if words is None and line.rest:
            raise line.error(
                f"SHELL requires the arguments to be in JSON form: {line.logical.text}",
                line.rest_offset,
            )
        if not words:
            raise line.error("SHELL requires at least one argument")
        return cls(words)

    def lower(self, stage: Stage) -> Stage:
        return stage.configured(shell=self.words).noted(f"SHELL [{' '.join(self.words)}]")
