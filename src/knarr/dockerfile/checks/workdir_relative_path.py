"""WorkdirRelativePath."""

from knarr.dockerfile.check import Found, Subject, check
from knarr.dockerfile.instructions.workdir import Workdir


@check(
    "WorkdirRelativePath",
    "Relative workdir without an absolute workdir declared within the build can have unexpected "
    "results if the base image changes",
)
def workdir_relative_path(subject: Subject) -> Found:
    """Only the first WORKDIR counts, in the stage or the stages below it."""
    settled: set[int] = set()  # stages whose directory the file itself has set
    for step in subject.plan.steps:
        index = step.after.index
        if step.before is None:
            base = subject.dockerfile.stages[index].from_.base
            below = subject.dockerfile.stage_named(base, before=index)
            settled |= {index} if below and below.index in settled else set()
        elif isinstance(step.statement.what, Workdir) and index not in settled:
            settled.add(index)
            path = step.before.expand(step.statement.what.path)
            if not path.startswith("/"):
                problem = "can have unexpected results if the base image changes"
                yield step.statement, f"Relative workdir '{path}' {problem}"
