"""VOLUME."""

from dataclasses import dataclass
from typing import Any, Self

from knarr.dockerfile.instruction import Plain, instruction
from knarr.dockerfile.line import Line
from knarr.dockerfile.stage import Stage
from knarr.errors import InvalidArgument


@instruction("VOLUME")
@dataclass(frozen=True, slots=True)
class Volume(Plain):
    """Paths that get a volume of their own in each container.

    Source: Dockerfile reference, "VOLUME".
    """

    paths: tuple[str, ...]

    @classmethod
    def parse(cls, line: Line) -> Self:
        line.no_flags()
        paths = line.words_or_json()
        if not paths:
            raise line.error("VOLUME requires at least one argument")
        if not all(path.strip() for path in paths):
            raise line.error("VOLUME specified can not be an empty string", line.rest_offset)
        return cls(tuple(path.strip() for path in paths))

    def lower(self, stage: Stage) -> Stage:
        paths = [stage.expand(path) for path in self.paths]
        if not all(paths):
            raise InvalidArgument("VOLUME specified can not be an empty string")
        new: dict[str, dict[str, Any]] = {path: {} for path in paths}
        stage = stage.configured(volumes={**stage.config.volumes, **new})
        return stage.noted(f"VOLUME [{' '.join(paths)}]")

    def expanded(self) -> tuple[str, ...]:
        return self.paths
