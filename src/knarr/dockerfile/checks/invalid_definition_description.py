"""InvalidDefinitionDescription."""

from collections.abc import Iterable

from knarr.dockerfile.check import Found, Subject, check
from knarr.dockerfile.model import Statement


@check(
    "InvalidDefinitionDescription",
    "Comment for build stage or argument should follow the format: "
    "`# <arg/stage name> <description>`",
    experimental=True,
)
def invalid_definition_description(subject: Subject) -> Found:
    for statement, arg in zip(
        subject.dockerfile.globals, subject.dockerfile.global_args, strict=True
    ):
        yield from _undescribed(statement, [pair.key for pair in arg.pairs])
    for stage in subject.dockerfile.stages:
        if stage.name:
            yield from _undescribed(stage.start, [stage.name])


def _undescribed(statement: Statement, names: Iterable[str]) -> Found:
    comments = [text for text in statement.line.logical.comments if not text.startswith("check=")]
    if comments and not any(text.startswith(f"{name} ") for text in comments for name in names):
        yield (
            statement,
            (
                "Comment for build stage or argument should follow the format: "
                "`# <arg/stage name> <description>`. If this is not intended to be a description "
                "comment, add an empty line or comment between the instruction and the comment."
            ),
        )
