"""ExposeInvalidFormat."""

from knarr.dockerfile.check import Found, Subject, check
from knarr.dockerfile.instructions.expose import Expose


@check(
    "ExposeInvalidFormat",
    "IP address and host-port mapping should not be used in EXPOSE instruction. This will become "
    "an error in a future release",
)
def expose_invalid_format(subject: Subject) -> Found:
    for step in subject.plan.steps:
        if not isinstance(step.statement.what, Expose) or step.before is None:
            continue
        for port in step.statement.what.ports:
            if any(":" in word for word in step.before.expansion(port).words):
                yield (
                    step.statement,
                    (
                        "EXPOSE instruction should not define an IP address or host-port mapping, "
                        f"found '{port}'"
                    ),
                )
