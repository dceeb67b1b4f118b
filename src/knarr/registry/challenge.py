"""What a registry asks for with a 401: the ``WWW-Authenticate`` header, read.

Pure. Source: RFC 9110, 11.6.1; distribution, token authentication.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

_TOKEN: Final = r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+"
_PARAMETER: Final = re.compile(
    rf'\s*({_TOKEN})\s*=\s*(?:"((?:[^"\\]|\\.)*)"|({_TOKEN}|[^\s,"]+))\s*(?:,|$)'
)
_SCHEME: Final = re.compile(rf"\s*,*\s*({_TOKEN})(?:\s+|\s*$|\s*,)")
_SCOPE: Final = re.compile(r"([a-z]+(?:\([^)]*\))?):([^\s]*):([^:\s]*)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Challenge:
    """One way to prove who one is. ``scheme`` and the names of parameters are lower case."""

    scheme: str
    parameters: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Scope:
    """A right on one thing: ``repository:library/debian:pull,push``."""

    type: str = "repository"
    name: str
    actions: tuple[str, ...]  # sorted, each once

    def __str__(self) -> str:
        return f"{self.type}:{self.name}:{','.join(self.actions)}"


def parse_challenges(headers: Iterable[str]) -> list[Challenge]:
    """All challenges of all header lines, in their order; what cannot be read ends its line."""
    return [challenge for line in headers for challenge in _parse_line(line)]


def _parse_line(line: str) -> list[Challenge]:
    found: list[Challenge] = []
    position = 0
    while match := _SCHEME.match(line, position):
        position = match.end()
        parameters: dict[str, str] = {}
        while pair := _PARAMETER.match(line, position):
            quoted, bare = pair[2], pair[3]
            value = bare if quoted is None else re.sub(r"\\(.)", r"\1", quoted)
            parameters.setdefault(pair[1].lower(), value)
            position = pair.end()
        found.append(Challenge(scheme=match[1].lower(), parameters=parameters))
    return found


def parse_scopes(text: str) -> frozenset[Scope]:
    """The scopes of a ``scope`` parameter, parted by spaces; malformed ones are left out."""
    found = set()
    for word in text.split():
        if match := _SCOPE.fullmatch(word):
            found.add(scope(match[2], *match[3].split(","), type=match[1]))
    return frozenset(found)


def scope(name: str, *actions: str, type: str = "repository") -> Scope:  # noqa: A002
    """A scope in its one normal form: actions sorted, each once."""
    return Scope(type=type, name=name, actions=tuple(sorted({each for each in actions if each})))


def united(*groups: Iterable[Scope]) -> tuple[Scope, ...]:
    """All scopes, those on the same thing joined into one; sorted, so that it can be a key."""
    actions: dict[tuple[str, str], set[str]] = {}
    for group in groups:
        for each in group:
            actions.setdefault((each.type, each.name), set()).update(each.actions)
    return tuple(
        sorted(scope(name, *rights, type=kind) for (kind, name), rights in actions.items())
    )
