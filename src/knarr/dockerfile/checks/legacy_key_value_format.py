"""LegacyKeyValueFormat."""

from knarr.dockerfile.check import Found, Subject, check
from knarr.dockerfile.instructions.env import Env
from knarr.dockerfile.instructions.label import Label


@check(
    "LegacyKeyValueFormat",
    "Legacy key/value format with whitespace separator should not be used",
)
def legacy_key_value_format(subject: Subject) -> Found:
    for statement in subject.statements():
        what, name = statement.what, statement.line.name
        if isinstance(what, Env | Label) and any(pair.legacy for pair in what.pairs):
            yield (
                statement,
                f'"{name} key=value" should be used instead of legacy "{name} key value" format',
            )
