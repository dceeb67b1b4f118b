"""UndefinedVar."""

from knarr.dockerfile.check import Found, Subject, check
from knarr.dockerfile.source import suggestion


@check("UndefinedVar", "Variables should be defined before their use")
def undefined_var(subject: Subject) -> Found:
    for step in subject.plan.steps:
        if step.before is None:
            continue
        known = {arg.name for arg in step.before.arguments} | step.before.variables.keys()
        missing = {
            name
            for text in step.statement.what.expanded()
            for name in step.before.expansion(text).missing
        }
        for name in sorted(missing - known):
            hint = suggestion(name, known).replace("mean ", "mean $")
            yield step.statement, f"Usage of undefined variable '${name}'{hint}"
