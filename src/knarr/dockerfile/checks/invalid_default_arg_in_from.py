"""InvalidDefaultArgInFrom."""

from knarr.dockerfile.check import Found, Subject, check
from knarr.dockerfile.expansion import ExpansionError, expand
from knarr.dockerfile.lower import default_global_args
from knarr.errors import InvalidArgument
from knarr.reference import Reference


@check(
    "InvalidDefaultArgInFrom",
    "Default value for global ARG results in an empty or invalid base image name",
)
def invalid_default_arg_in_from(subject: Subject) -> Found:
    """What would the base be if the client gave no ARG at all?"""
    defaults = default_global_args(subject.dockerfile, subject.plan.options)
    for stage in subject.dockerfile.stages:
        base = stage.from_.base
        if "$" in base and not _is_name(base, defaults, subject.dockerfile.directives.escape):
            yield (
                stage.start,
                f"Default value for ARG {base} results in empty or invalid base image name",
            )


def _is_name(base: str, defaults: dict[str, str], escape: str) -> bool:
    try:
        Reference.parse(expand(base, defaults, escape=escape).text)
    except (ExpansionError, InvalidArgument):
        return False
    return True
