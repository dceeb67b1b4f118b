"""FromAsCasing."""

from knarr.dockerfile.check import Found, Subject, check


@check("FromAsCasing", "The 'as' keyword should match the case of the 'from' keyword")
def from_as_casing(subject: Subject) -> Found:
    for stage in subject.dockerfile.stages:
        from_, as_ = stage.start.line.keyword, stage.from_.written_as
        if as_ and (from_.isupper(), from_.islower()) != (as_.isupper(), as_.islower()):
            yield stage.start, f"'{as_}' and '{from_}' keywords' casing do not match"
