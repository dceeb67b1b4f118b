"""UndefinedArgInFrom."""

from knarr.dockerfile.check import Found, Subject, check
from knarr.dockerfile.expansion import expand
from knarr.dockerfile.source import suggestion


@check("UndefinedArgInFrom", "FROM command must use declared ARGs")
def undefined_arg_in_from(subject: Subject) -> Found:
    escape = subject.dockerfile.directives.escape
    declared = {pair.key for arg in subject.dockerfile.global_args for pair in arg.pairs}
    known = declared | subject.plan.global_args.keys()
    for stage in subject.dockerfile.stages:
        for text in (stage.from_.base, stage.from_.platform):
            missing = expand(text, subject.plan.global_args, escape=escape).missing
            for name in sorted(missing - known):
                hint = suggestion(name, known)
                yield stage.start, f"FROM argument '{name}' is not declared{hint}"
