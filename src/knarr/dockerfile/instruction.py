"""What every instruction is: a value parsed from a line, that changes a stage when it is lowered.

To add one, write a file in ``instructions/``; the package imports every file of its folder.
"""

from collections.abc import Callable
from typing import ClassVar, Protocol, Self, TypeVar

from knarr.dockerfile.line import Line
from knarr.dockerfile.source import suggestion
from knarr.dockerfile.stage import Stage


class Instruction(Protocol):
    """One instruction of a Dockerfile."""

    @classmethod
    def parse(cls, line: Line) -> Self:
        """Raises DockerfileError, at the place that is wrong."""
        ...

    def lower(self, stage: Stage) -> Stage:
        """The stage after the instruction. Raises ExpansionError, InvalidArgument, NotFound."""
        ...

    def expanded(self) -> tuple[str, ...]:
        """The texts in which variables are replaced."""
        ...

    def origins(self) -> tuple[str, ...]:
        """The stages, images and named contexts whose files it uses."""
        ...


class Plain:
    """What most instructions answer: no variables, no files of others."""

    __slots__ = ()
    keyword: ClassVar[str] = ""

    def expanded(self) -> tuple[str, ...]:
        return ()

    def origins(self) -> tuple[str, ...]:
        return ()


INSTRUCTIONS: dict[str, type[Instruction]] = {}
I = TypeVar("I", bound=Instruction)  # noqa: E741


def instruction(name: str) -> Callable[[type[I]], type[I]]:
    """Registers the class as what ``name`` means."""

    def register(kind: type[I]) -> type[I]:
        INSTRUCTIONS[name] = kind
        return kind

    return register


def parse_instruction(line: Line) -> Instruction:
    """The instruction that ``line`` holds. Raises DockerfileError, with a suggestion."""
    kind = INSTRUCTIONS.get(line.name)
    if kind is None:
        hint = suggestion(line.name, INSTRUCTIONS)
        raise line.error(f"unknown instruction: {line.keyword}{hint}")
    return kind.parse(line)
