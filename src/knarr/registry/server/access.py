"""Who may do what: rights by repository, as lines of text.

    # user   repositories   rights
    anna     team/**        pull,push,delete
    *        public/**      pull
    @        **             pull

``*`` is anybody, ``@`` anybody who is logged in. In a pattern ``*`` stands for part of a name
between slashes, ``**`` for any part. All lines that match add up. Pure.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from knarr.errors import InvalidArgument
from knarr.registry.challenge import Scope, scope

RIGHTS: Final = frozenset({"pull", "push", "delete"})
ANYBODY: Final = "*"
LOGGED_IN: Final = "@"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One line. ``user`` is a name, ``*`` or ``@``."""

    user: str
    repositories: re.Pattern[str]
    rights: frozenset[str]

    def covers(self, user: str, repository: str) -> bool:
        who = self.user in (ANYBODY, user) or (self.user == LOGGED_IN and bool(user))
        return who and self.repositories.fullmatch(repository) is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """All rules. A user without a name is nobody in particular."""

    rules: tuple[Rule, ...]

    def rights(self, user: str, repository: str) -> frozenset[str]:
        matching = (rule.rights for rule in self.rules if rule.covers(user, repository))
        return frozenset().union(*matching)

    def granted(self, user: str, asked: Iterable[Scope]) -> tuple[Scope, ...]:
        """Of the scopes that a token was asked for, those that it will be good for."""
        found = []
        for each in asked:
            if each.type == "registry" and each.name == "catalog":
                found.append(each)  # the catalog shows each caller what that caller may pull
            elif each.type == "repository":
                wanted = RIGHTS if "*" in each.actions else frozenset(each.actions)
                if rights := wanted & self.rights(user, each.name):
                    found.append(scope(each.name, *rights))
        return tuple(found)


def parse_access(text: str) -> Access:
    """Raises InvalidArgument with the number of the line that means nothing."""
    rules = []
    for number, line in enumerate(text.splitlines(), 1):
        words = line.partition("#")[0].split()
        if not words:
            continue
        if len(words) != 3 or not set(words[2].split(",")) <= RIGHTS:
            raise InvalidArgument(
                f"line {number}: {line.strip()!r} is not: user, repositories, rights"
                " (of pull, push, delete, with commas between)"
            )
        rules.append(rule(words[0], words[1], *words[2].split(",")))
    return Access(rules=tuple(rules))


def rule(user: str, pattern: str, *rights: str) -> Rule:
    pieces = re.split(r"(\*\*|\*)", pattern)
    meaning = {"**": ".*", "*": "[^/]*"}
    expression = "".join(meaning.get(piece, re.escape(piece)) for piece in pieces)
    return Rule(user=user, repositories=re.compile(expression), rights=frozenset(rights))


OPEN: Final = Access(rules=(rule(ANYBODY, "**", *RIGHTS),))
"""For a registry without logins: everybody may do everything."""

USERS_ONLY: Final = Access(rules=(rule(LOGGED_IN, "**", *RIGHTS),))
"""For a registry with logins and no rules: whoever is logged in may do everything."""
