"""ExposeProtoCasing."""

from knarr.dockerfile.check import Found, Subject, check
from knarr.dockerfile.instructions.expose import Expose


@check("ExposeProtoCasing", "Protocol in EXPOSE instruction should be lowercase")
def expose_proto_casing(subject: Subject) -> Found:
    for statement in subject.statements():
        if not isinstance(statement.what, Expose):
            continue
        for port in statement.what.ports:
            protocol = port.partition("/")[2]
            if protocol != protocol.lower() and "$" not in protocol:
                problem = f"Defined protocol '{port}' in EXPOSE instruction should be lowercase"
                yield statement, problem
