"""The checks of ``build --check``: what is allowed and still probably not meant.

To add one, write a file in ``checks/`` with one function; the package imports every file of its
folder. The names and the wording are Docker's, so that ``# check=skip=`` means the same here.
Source: Docker documentation, "Build checks".
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from knarr.dockerfile.directives import CheckOptions
from knarr.dockerfile.model import Dockerfile, Statement
from knarr.dockerfile.plan import Plan
from knarr.patterns import IgnoreRules

_RULES_URL: Final = "https://docs.docker.com/go/dockerfile/rule/"


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """What the checks look at: the plan of all stages, and what the context leaves out."""

    plan: Plan
    ignore: IgnoreRules | None = None

    @property
    def dockerfile(self) -> Dockerfile:
        return self.plan.dockerfile

    def statements(self) -> Iterator[Statement]:
        """Everything that is written in the file, in its order."""
        yield from self.dockerfile.globals
        for stage in self.dockerfile.stages:
            yield stage.start
            yield from stage.statements


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """A check's name, what it is about, and how it looks for it."""

    name: str
    description: str
    experimental: bool
    find: Callable[[Subject], Iterator[tuple[Statement, str]]]

    @property
    def url(self) -> str:
        words = re.sub(r"(?<=[a-z])(?=[A-Z])|(?<=JSON)(?=[A-Z])", "-", self.name)
        return f"{_RULES_URL}{words.lower()}/"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that a check found."""

    rule: Rule
    statement: Statement
    problem: str

    @property
    def text(self) -> str:
        """All of it, as ``build --check`` prints it."""
        logical = self.statement.line.logical
        excerpt = logical.source.excerpt(self.statement.place, logical.last_line)
        return f"WARNING: {self.rule.name} - {self.rule.url}\n{self.problem}\n{excerpt}\n"


RULES: dict[str, Rule] = {}
Found = Iterator[tuple[Statement, str]]


def check(
    name: str, description: str, *, experimental: bool = False
) -> Callable[[Callable[[Subject], Found]], Callable[[Subject], Found]]:
    """Registers the function as the check of that name; it yields statements and problems."""

    def register(find: Callable[[Subject], Found]) -> Callable[[Subject], Found]:
        RULES[name] = Rule(name=name, description=description, experimental=experimental, find=find)
        return find

    return register


def findings(subject: Subject) -> list[Finding]:
    """All that the checks find, in the order of the file, without what it says to skip."""
    options = subject.plan.check
    found = [
        Finding(rule=rule, statement=statement, problem=problem)
        for rule in RULES.values()
        for statement, problem in rule.find(subject)
        if not _skipped(rule, options) and not _skipped(rule, _own_options(statement))
    ]
    return sorted(found, key=lambda each: (each.statement.place, each.rule.name))


def _skipped(rule: Rule, options: CheckOptions | None) -> bool:
    return options is not None and options.skips(rule.name, experimental=rule.experimental)


def _own_options(statement: Statement) -> CheckOptions | None:
    """Of a ``# check=`` directly above the statement."""
    for comment in statement.line.logical.comments:
        if match := re.fullmatch(r"check\s*=\s*(.*)", comment):
            try:
                return CheckOptions.parse(f"{match[1]};experimental=all")
            except ValueError:
                return None
    return None
