"""ONBUILD."""

from dataclasses import dataclass
from typing import Final, Self

from knarr.dockerfile.instruction import Plain, instruction, parse_instruction
from knarr.dockerfile.line import Line
from knarr.dockerfile.stage import Stage

_NEVER: Final = frozenset({"FROM", "MAINTAINER"})


@instruction("ONBUILD")
@dataclass(frozen=True, slots=True)
class OnBuild(Plain):
    """An instruction for builds that take the image as their base, right after their FROM.

    Source: Dockerfile reference, "ONBUILD".
    """

    trigger: str  # as it will be parsed then, heredocs and all

    @classmethod
    def parse(cls, line: Line) -> Self:
        line.no_flags()
        if not line.rest:
            raise line.error("ONBUILD requires at least one argument")
        inner = Line.of(line.logical, line.rest_offset)
        if inner.name == "ONBUILD":
            raise line.error(
                "Chaining ONBUILD via `ONBUILD ONBUILD` isn't allowed", line.rest_offset
            )
        if inner.name in _NEVER:
            raise line.error(f"{inner.name} isn't allowed as an ONBUILD trigger", line.rest_offset)
        parse_instruction(inner)  # so that a mistake is found now, not by whoever uses the image
        bodies = (f"\n{heredoc.content}{heredoc.name}" for heredoc in line.logical.heredocs)
        return cls(line.rest + "".join(bodies))

    def lower(self, stage: Stage) -> Stage:
        triggers = (*(stage.config.on_build or ()), self.trigger)
        return stage.configured(on_build=triggers).noted(f"ONBUILD {self.trigger}")
