"""ENTRYPOINT."""

from dataclasses import dataclass
from typing import Self

from knarr.dockerfile.instruction import Plain, instruction
from knarr.dockerfile.line import Command, Line
from knarr.dockerfile.stage import Stage
from knarr.dockerfile.wording import quoted_list


@instruction("ENTRYPOINT")
@dataclass(frozen=True, slots=True)
class Entrypoint(Plain):
    """What the image runs. A CMD that came from the base is forgotten: it was not meant for this.

    Source: Dockerfile reference, "ENTRYPOINT".
    """

    command: Command

    @classmethod
    def parse(cls, line: Line) -> Self:
        line.no_flags()
        return cls(line.command())

    def lower(self, stage: Stage) -> Stage:
        argv = self.command.argv(stage.shell)
        stage = stage.configured(entrypoint=argv or None)
        if not stage.cmd_is_set:
            stage = stage.configured(cmd=None)
        return stage.noted(f"ENTRYPOINT {quoted_list(argv)}")
