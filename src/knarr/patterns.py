"""Path patterns: the wildcards of COPY and the rules of .dockerignore.

Source: Go path/filepath.Match for wildcards; moby/patternmatcher for ignore files.
"""

import posixpath
import re
from collections.abc import Iterable
from itertools import groupby
from typing import Final, NamedTuple, Self

from knarr.errors import InvalidArgument

_WILD: Final = frozenset("*?[\\")


def has_wildcard(pattern: str) -> bool:
    """Whether ``pattern`` is more than a plain path."""
    return not _WILD.isdisjoint(pattern)


def wildcard(pattern: str, *, any_depth: bool = False) -> re.Pattern[str]:
    """What ``pattern`` matches, as a regular expression for ``fullmatch``.

    ``*`` and ``?`` stop at a slash, ``[a-z]`` and ``[^a-z]`` are classes, a backslash escapes.
    any_depth: ``**`` stands for any number of directories, none included.
    Raises InvalidArgument for a class that never ends or a backslash at the end.
    """
    return re.compile(_regex(pattern, any_depth=any_depth), re.DOTALL)


def _regex(pattern: str, *, any_depth: bool) -> str:
    parts: list[str] = []
    position, end = 0, len(pattern)
    while position < end:
        char = pattern[position]
        position += 1
        if char == "*":
            if any_depth and pattern.startswith("*", position):
                part, position = _any_depth(pattern, position + 1)
                parts.append(part)
            else:
                parts.append("[^/]*")
        elif char == "?":
            parts.append("[^/]")
        elif char == "[":
            part, position = _class(pattern, position)
            parts.append(part)
        elif char == "\\":
            if position == end:
                raise InvalidArgument(f"syntax error in pattern: {pattern!r} ends with a backslash")
            parts.append(re.escape(pattern[position]))
            position += 1
        else:
            parts.append(re.escape(char))
    return "".join(parts)


def _any_depth(pattern: str, position: int) -> tuple[str, int]:
    """The expression of ``**``, which swallows the slash behind it, and where to go on."""
    while pattern.startswith("*", position):
        position += 1
    if pattern.startswith("/", position):
        return "(?:.*/)?", position + 1
    return ".*", position


def _class(pattern: str, position: int) -> tuple[str, int]:
    """The expression of ``[...]`` whose inside starts at ``position``, and where to go on."""
    negated = pattern.startswith("^", position)
    position += negated
    parts: list[str] = []
    while not (parts and pattern.startswith("]", position)):
        low, position = _class_member(pattern, position)
        high = low
        if pattern.startswith("-", position):
            high, position = _class_member(pattern, position + 1)
        if low <= high:  # an empty range matches nothing, as in Go
            parts.append(f"{re.escape(low)}-{re.escape(high)}")
        else:
            parts.append("")
    inside = "".join(parts)
    if not inside:
        return ("[^/]" if negated else "(?!)"), position + 1
    return (f"(?!/)[^{inside}]" if negated else f"(?!/)[{inside}]"), position + 1


def _class_member(pattern: str, position: int) -> tuple[str, int]:
    if pattern.startswith("\\", position):
        position += 1
    elif pattern.startswith(("-", "]"), position):
        raise InvalidArgument(f"syntax error in pattern: {pattern!r}")
    if position >= len(pattern):
        raise InvalidArgument(f"syntax error in pattern: {pattern!r} has a [ without its ]")
    return pattern[position], position + 1


class _Rules(NamedTuple):
    """Neighbouring rules of one sign, as one expression that also covers what lies beneath."""

    excludes: bool
    expression: re.Pattern[str]


class IgnoreRules(NamedTuple):
    """An ignore file: the last rule that matches a path or one of its parents decides."""

    patterns: tuple[str, ...]
    rules: tuple[_Rules, ...]  # the last first

    @classmethod
    def parse(cls, text: str) -> Self:
        """Rules from the text of an ignore file: comments, blank lines and a BOM are dropped."""
        return cls.of(ignore_lines(text))

    @classmethod
    def of(cls, patterns: Iterable[str]) -> Self:
        """Rules from patterns, ``!`` in front of exceptions."""
        kept = tuple(pattern for each in patterns if (pattern := _cleaned(each)))
        rules = [
            _Rules(
                excludes=not exception,
                expression=re.compile(
                    f"(?:{'|'.join(_regex(p.removeprefix('!'), any_depth=True) for p in group)})"
                    "(?:/.*)?",
                    re.DOTALL,
                ),
            )
            for exception, group in groupby(kept, lambda pattern: pattern.startswith("!"))
        ]
        return cls(kept, tuple(reversed(rules)))

    def excludes(self, path: str) -> bool:
        """Whether ``path``, relative to the context's root and without a leading slash, is out."""
        for rules in self.rules:
            if rules.expression.fullmatch(path):
                return rules.excludes
        return False

    def prunes(self, directory: str) -> bool:
        """Whether nothing beneath ``directory`` can be in, so that a walk need not enter it."""
        return self.excludes(directory) and not any(
            _may_lie_beneath(pattern[1:], directory)
            for pattern in self.patterns
            if pattern.startswith("!")
        )


def ignore_lines(text: str) -> list[str]:
    """The patterns of an ignore file, one a line; ``#`` in the first column starts a comment."""
    lines = text.removeprefix("\ufeff").split("\n")
    return [line.strip() for line in lines if line.strip() and not line.startswith("#")]


def _cleaned(pattern: str) -> str:
    """In the shortest form, without leading slash; empty where there is nothing to match."""
    exception = pattern.startswith("!")
    body = pattern[exception:].strip()
    if exception and not body:
        raise InvalidArgument('illegal exclusion pattern: "!"')
    body = posixpath.normpath(body).lstrip("/") if body else ""
    if body in {"", "."}:
        return ""
    return f"!{body}" if exception else body


def _may_lie_beneath(pattern: str, directory: str) -> bool:
    literal = re.split(r"[*?\[\\]", pattern, maxsplit=1)[0]
    return literal.startswith(f"{directory}/") or f"{directory}/".startswith(literal)
