"""CMD."""

from dataclasses import dataclass, replace
from typing import Self

from knarr.dockerfile.instruction import Plain, instruction
from knarr.dockerfile.line import Command, Line
from knarr.dockerfile.stage import Stage
from knarr.dockerfile.wording import quoted_list


@instruction("CMD")
@dataclass(frozen=True, slots=True)
class Cmd(Plain):
    """The command, or the arguments of the entrypoint, when none are given to ``run``.

    Source: Dockerfile reference, "CMD".
    """

    command: Command

    @classmethod
    def parse(cls, line: Line) -> Self:
        line.no_flags()
        return cls(line.command())

    def lower(self, stage: Stage) -> Stage:
        argv = self.command.argv(stage.shell)
        stage = replace(stage.configured(cmd=argv), cmd_is_set=True)
        return stage.noted(f"CMD {quoted_list(argv)}")
