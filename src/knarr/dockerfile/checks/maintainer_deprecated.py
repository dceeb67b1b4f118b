"""MaintainerDeprecated."""

from knarr.dockerfile.check import Found, Subject, check
from knarr.dockerfile.instructions.maintainer import Maintainer


@check(
    "MaintainerDeprecated",
    "The MAINTAINER instruction is deprecated, use a label instead to define an image author",
)
def maintainer_deprecated(subject: Subject) -> Found:
    for statement in subject.statements():
        if isinstance(statement.what, Maintainer):
            yield statement, "Maintainer instruction is deprecated in favor of using label"
