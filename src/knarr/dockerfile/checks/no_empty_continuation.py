"""NoEmptyContinuation."""

from knarr.dockerfile.check import Found, Subject, check


@check("NoEmptyContinuation", "Empty continuation lines will become errors in a future release")
def no_empty_continuation(subject: Subject) -> Found:
    for statement in subject.statements():
        if statement.line.logical.has_empty_continuation:
            yield statement, "Empty continuation line"
