"""ReservedStageName."""

from typing import Final

from knarr.dockerfile.check import Found, Subject, check

_RESERVED: Final = frozenset({"scratch", "context"})


@check("ReservedStageName", "Reserved words should not be used as stage names")
def reserved_stage_name(subject: Subject) -> Found:
    for stage in subject.dockerfile.stages:
        if stage.name in _RESERVED:
            problem = "Stage name should not use the same name as reserved stage"
            yield stage.start, f'{problem} "{stage.name}"'
