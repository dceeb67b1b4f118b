"""USER."""

from dataclasses import dataclass
from typing import Self

from knarr.dockerfile.instruction import Plain, instruction
from knarr.dockerfile.line import Line
from knarr.dockerfile.stage import Stage


@instruction("USER")
@dataclass(frozen=True, slots=True)
class User(Plain):
    """Who runs the steps that follow, and the container: ``NAME|UID[:GROUP|GID]``.

    Source: Dockerfile reference, "USER".
    """

    user: str

    @classmethod
    def parse(cls, line: Line) -> Self:
        line.no_flags()
        return cls(line.only_word())

    def lower(self, stage: Stage) -> Stage:
        user = stage.expand(self.user)
        return stage.configured(user=user).noted(f"USER {user}")

    def expanded(self) -> tuple[str, ...]:
        return (self.user,)
