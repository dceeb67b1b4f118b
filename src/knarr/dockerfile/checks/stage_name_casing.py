"""StageNameCasing."""

from knarr.dockerfile.check import Found, Subject, check


@check("StageNameCasing", "Stage names should be lowercase")
def stage_name_casing(subject: Subject) -> Found:
    for stage in subject.dockerfile.stages:
        written = stage.from_.written_name
        if written != written.lower():
            yield stage.start, f"Stage name '{written}' should be lowercase"
