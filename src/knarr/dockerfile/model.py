"""A Dockerfile as it is written: global ARGs, then stages of instructions."""

from dataclasses import dataclass
from typing import cast

from knarr.dockerfile import instructions as _registered  # noqa: F401  each file registers itself
from knarr.dockerfile.directives import Directives
from knarr.dockerfile.instruction import Instruction, parse_instruction
from knarr.dockerfile.instructions.arg import Arg
from knarr.dockerfile.instructions.from_ import From
from knarr.dockerfile.lexer import LogicalLine, logical_lines
from knarr.dockerfile.line import Line
from knarr.dockerfile.source import DockerfileError, Place, Source


@dataclass(frozen=True, slots=True)
class Statement:
    """An instruction and the line it stands on."""

    line: Line
    what: Instruction

    @classmethod
    def parse(cls, logical: LogicalLine) -> "Statement":
        line = Line.of(logical)
        return cls(line, parse_instruction(line))

    @property
    def text(self) -> str:
        """As it is written, on one line; of heredocs their first line."""
        return self.line.logical.text

    @property
    def place(self) -> Place:
        return self.line.logical.place(0)


@dataclass(frozen=True, slots=True, kw_only=True)
class StageText:
    """A FROM and what follows it."""

    index: int
    start: Statement
    statements: tuple[Statement, ...]

    @property
    def from_(self) -> From:
        return cast("From", self.start.what)

    @property
    def name(self) -> str:
        """The name it was given, empty if none."""
        return self.from_.name

    @property
    def title(self) -> str:
        """A name for people, which every stage has."""
        return self.from_.name or f"stage-{self.index}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Dockerfile:
    """The whole file."""

    source: Source
    directives: Directives
    globals: tuple[Statement, ...]  # ARGs before the first FROM
    stages: tuple[StageText, ...]

    @property
    def global_args(self) -> tuple[Arg, ...]:
        return tuple(cast("Arg", statement.what) for statement in self.globals)

    def stage_named(self, name: str, before: int | None = None) -> StageText | None:
        """The last stage of that name, or of those in front of stage number ``before``."""
        stages = self.stages[:before]
        return next((each for each in reversed(stages) if each.name == name.lower()), None)


def parse_dockerfile(text: str, name: str = "Dockerfile") -> Dockerfile:
    """The Dockerfile that ``text`` is. Raises DockerfileError at the first mistake."""
    directives, lines = logical_lines(Source(text, name))
    source = lines[0].source
    statements = [Statement.parse(line) for line in lines]
    first = next((n for n, each in enumerate(statements) if isinstance(each.what, From)), None)
    before = statements[:first]
    for statement in before:
        if not isinstance(statement.what, Arg):
            raise statement.line.error("no build stage in current context")
    if first is None:
        problem = "dockerfile contains no stages to build"
        raise DockerfileError(problem, source, lines[-1].place(0))
    return Dockerfile(
        source=source,
        directives=directives,
        globals=tuple(before),
        stages=tuple(_stages(statements[first:])),
    )


def _stages(statements: list[Statement]) -> list[StageText]:
    starts = [n for n, each in enumerate(statements) if isinstance(each.what, From)]
    ends = [*starts[1:], len(statements)]
    return [
        StageText(
            index=index, start=statements[start], statements=tuple(statements[start + 1 : end])
        )
        for index, (start, end) in enumerate(zip(starts, ends, strict=True))
    ]


def parse_trigger(expression: str) -> Statement:
    """The instruction that an image has for those who build on it (ONBUILD)."""
    _, lines = logical_lines(Source(expression, "ONBUILD trigger"))
    if len(lines) != 1:
        problem = "onbuild trigger should be a single expression"
        raise DockerfileError(problem, lines[0].source, lines[1].place(0))
    return Statement.parse(lines[0])
