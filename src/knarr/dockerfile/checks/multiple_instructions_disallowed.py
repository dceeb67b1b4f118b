"""MultipleInstructionsDisallowed."""

from typing import Final

from knarr.dockerfile.check import Found, Subject, check
from knarr.dockerfile.model import Statement

_ONCE: Final = frozenset({"CMD", "ENTRYPOINT", "HEALTHCHECK"})


@check(
    "MultipleInstructionsDisallowed",
    "Multiple instructions of the same type should not be used in the same stage",
)
def multiple_instructions_disallowed(subject: Subject) -> Found:
    for stage in subject.dockerfile.stages:
        last: dict[str, Statement] = {}
        for statement in stage.statements:
            name = statement.line.name
            if name not in _ONCE:
                continue
            if name in last:
                problem = f"Multiple {name} instructions should not be used in the same stage"
                yield last[name], f"{problem} because only the last one will be used"
            last[name] = statement
