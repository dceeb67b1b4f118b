"""FROM."""

import re
from dataclasses import dataclass
from typing import Final, Self

from knarr.dockerfile.instruction import Plain, instruction
from knarr.dockerfile.line import Line
from knarr.dockerfile.stage import Stage
from knarr.errors import InvalidArgument

_STAGE_NAME: Final = re.compile(r"[a-z][a-z0-9-_.]*")


@instruction("FROM")
@dataclass(frozen=True, slots=True, kw_only=True)
class From(Plain):
    """A new stage, on an image, an earlier stage, a named context, or ``scratch``.

    Source: Dockerfile reference, "FROM".
    """

    base: str
    name: str = ""  # lower case
    written_name: str = ""
    written_as: str = ""  # the keyword between base and name
    platform: str = ""

    @classmethod
    def parse(cls, line: Line) -> Self:
        options = line.options(texts=("platform",))
        platform = options.texts.get("platform", "")
        match line.words():
            case [base]:
                return cls(base=base, platform=platform)
            case [base, written_as, written] if written_as.lower() == "as":
                name = written.lower()
                if not _STAGE_NAME.fullmatch(name):
                    raise line.error(
                        f'invalid name for build stage: "{written}", '
                        "name can't start with a number or contain symbols",
                        line.logical.text.rindex(written),
                    )
                return cls(
                    base=base,
                    name=name,
                    written_name=written,
                    written_as=written_as,
                    platform=platform,
                )
        raise line.error("FROM requires either one or three arguments", line.rest_offset)

    def lower(self, stage: Stage) -> Stage:
        """A FROM is never *in* a stage: lower.py starts the next one with it."""
        raise InvalidArgument(f"FROM {self.base} begins a stage after {stage.name}")
