"""DuplicateStageName."""

from knarr.dockerfile.check import Found, Subject, check


@check("DuplicateStageName", "Stage names should be unique")
def duplicate_stage_name(subject: Subject) -> Found:
    seen: set[str] = set()
    for stage in subject.dockerfile.stages:
        if stage.name in seen:
            yield stage.start, f"Duplicate stage name '{stage.name}', stage names should be unique"
        seen |= {stage.name} - {""}
