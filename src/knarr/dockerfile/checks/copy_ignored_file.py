"""CopyIgnoredFile."""

from knarr.build.ops import Context, Copy
from knarr.dockerfile.check import Found, Subject, check
from knarr.patterns import has_wildcard


@check("CopyIgnoredFile", "Attempting to Copy file that is excluded by .dockerignore")
def copy_ignored_file(subject: Subject) -> Found:
    if subject.ignore is None:
        return
    for step in subject.plan.steps:
        if step.vertex is None or not isinstance(step.vertex.op, Copy):
            continue
        for selection in step.vertex.op.selections:
            if step.vertex.inputs[selection.input].op != Context():
                continue
            for path in selection.paths:
                if not has_wildcard(path) and path != "." and subject.ignore.excludes(path):
                    keyword = step.statement.line.name.title()
                    problem = f'Attempting to {keyword} file "{path}" that is excluded by'
                    yield step.statement, f"{problem} .dockerignore"
