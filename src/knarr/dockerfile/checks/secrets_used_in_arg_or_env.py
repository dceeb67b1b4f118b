"""SecretsUsedInArgOrEnv."""

import re
from typing import Final

from knarr.dockerfile.check import Found, Subject, check
from knarr.dockerfile.instructions.arg import Arg
from knarr.dockerfile.instructions.env import Env

_SECRET: Final = re.compile(
    r"(?:_|^)(?:apikey|auth|credentials?|key|passwo?r?d|pword|secret|token)(?:_|$)", re.IGNORECASE
)
_PUBLIC: Final = re.compile(r"(?:_|^)public(?:_|$)", re.IGNORECASE)


@check("SecretsUsedInArgOrEnv", "Sensitive data should not be used in the ARG or ENV commands")
def secrets_used_in_arg_or_env(subject: Subject) -> Found:
    for statement in subject.statements():
        if not isinstance(statement.what, Arg | Env):
            continue
        for pair in statement.what.pairs:
            if _SECRET.search(pair.key) and not _PUBLIC.search(pair.key):
                problem = "Do not use ARG or ENV instructions for sensitive data"
                yield statement, f'{problem} ({statement.line.name} "{pair.key}")'
