"""WORKDIR."""

import posixpath
from dataclasses import dataclass
from typing import Self

from knarr.build.ops import MakeDirectory
from knarr.dockerfile.instruction import Plain, instruction
from knarr.dockerfile.line import Line
from knarr.dockerfile.stage import Stage


@instruction("WORKDIR")
@dataclass(frozen=True, slots=True)
class Workdir(Plain):
    """Set the working directory; a relative path counts from the stage's current one.

    A missing directory is made, and belongs to the stage's current user.
    Source: Dockerfile reference, "WORKDIR".
    """

    path: str

    @classmethod
    def parse(cls, line: Line) -> Self:
        line.no_flags()
        return cls(line.only_word())

    def lower(self, stage: Stage) -> Stage:
        here = stage.config.working_dir or "/"
        path = posixpath.normpath(posixpath.join("/", here, stage.expand(self.path)))
        path = f"/{path.lstrip('/')}"  # POSIX lets two leading slashes mean something else
        stage = stage.configured(working_dir=path)
        if path != "/":
            stage = stage.then(MakeDirectory(path=path, owner=stage.config.user))
        return stage.noted(f"WORKDIR {path}")

    def expanded(self) -> tuple[str, ...]:
        return (self.path,)
