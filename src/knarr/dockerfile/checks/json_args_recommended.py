"""JSONArgsRecommended."""

from knarr.dockerfile.check import Found, Subject, check
from knarr.dockerfile.instructions.cmd import Cmd
from knarr.dockerfile.instructions.entrypoint import Entrypoint


@check(
    "JSONArgsRecommended",
    "JSON arguments recommended for ENTRYPOINT/CMD to prevent unintended behavior related to "
    "OS signals",
)
def json_args_recommended(subject: Subject) -> Found:
    for step in subject.plan.steps:
        what = step.statement.what
        if not isinstance(what, Cmd | Entrypoint) or what.command.exec_form:
            continue
        if step.before is not None and not step.before.config.shell:
            yield (
                step.statement,
                (
                    f"JSON arguments recommended for {step.statement.line.name} to prevent "
                    "unintended behavior related to OS signals"
                ),
            )
