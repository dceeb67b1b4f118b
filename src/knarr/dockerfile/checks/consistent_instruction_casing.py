"""ConsistentInstructionCasing."""

from knarr.dockerfile.check import Found, Subject, check


@check(
    "ConsistentInstructionCasing",
    "All commands within the Dockerfile should use the same casing (either upper or lower)",
)
def consistent_instruction_casing(subject: Subject) -> Found:
    statements = list(subject.statements())
    upper = sum(statement.line.keyword.isupper() for statement in statements)
    lower = sum(statement.line.keyword.islower() for statement in statements)
    majority = "lowercase" if lower > upper else "uppercase"
    for statement in statements:
        keyword = statement.line.keyword
        if not (keyword.islower() if majority == "lowercase" else keyword.isupper()):
            problem = f"Command '{keyword}' should match the case of the command majority"
            yield statement, f"{problem} ({majority})"
