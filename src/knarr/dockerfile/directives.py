"""Parser directives: ``# syntax=``, ``# escape=`` and ``# check=`` at the very top of the file.

Source: Dockerfile reference, "Parser directives".
"""

import re
from dataclasses import dataclass, replace
from typing import Final, Self

from knarr.dockerfile.source import DockerfileError, Place, Source

_DIRECTIVE: Final = re.compile(r"#\s*([a-zA-Z][a-zA-Z0-9]*)\s*=\s*(.+?)\s*")
_KNOWN: Final = frozenset({"syntax", "escape", "check"})


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckOptions:
    """What ``# check=`` or the build argument BUILDKIT_DOCKERFILE_CHECK asks for."""

    skip: frozenset[str] = frozenset()
    experimental: frozenset[str] = frozenset()
    skip_all: bool = False
    experimental_all: bool = False
    error: bool = False

    @classmethod
    def parse(cls, text: str) -> Self:
        """Options of ``skip=RULE,RULE;error=true;experimental=all``. Raises ValueError."""
        options = cls()
        for part in filter(None, text.strip().split(";")):
            key, equals, value = part.partition("=")
            if not equals:
                raise ValueError(f"invalid check option {part!r}")
            options = options._with(key.strip().lower(), value.strip())
        return options

    def _with(self, key: str, value: str) -> Self:
        rules = frozenset(rule.strip() for rule in value.split(","))
        match key:
            case "skip":
                return replace(self, skip=self.skip | rules, skip_all="all" in rules)
            case "experimental":
                return replace(
                    self,
                    experimental=self.experimental | rules,
                    experimental_all="all" in rules,
                )
            case "error":
                if value.lower() not in {"true", "false", "1", "0"}:
                    raise ValueError(f"failed to parse check option {key!r}: {value!r}")
                return replace(self, error=value.lower() in {"true", "1"})
            case _:
                raise ValueError(f"invalid check option {key!r}")

    def skips(self, rule: str, *, experimental: bool) -> bool:
        if self.skip_all or rule in self.skip:
            return True
        return experimental and not (self.experimental_all or rule in self.experimental)


@dataclass(frozen=True, slots=True, kw_only=True)
class Directives:
    """What the top of the file says about the rest."""

    escape: str = "\\"
    syntax: str = ""
    check: CheckOptions = CheckOptions()
    lines: int = 0  # how many lines they take, so that a check can tell them from comments


def read_directives(source: Source) -> Directives:
    """The directives of ``source``; the first line that is none ends them."""
    found: dict[str, tuple[str, int]] = {}
    count = 0
    for number, line in enumerate(source.lines, start=1):
        match = _DIRECTIVE.fullmatch(line.strip())
        if number == 1 and line.startswith("#!"):
            count = 1  # a script's first line, as frontends allow it
            continue
        if match is None or (key := match[1].lower()) not in _KNOWN:
            break
        if key in found:
            problem = f"only one {key} parser directive can be used"
            raise DockerfileError(problem, source, Place(number))
        found[key] = (match[2], number)
        count = number
    return Directives(
        escape=_escape(source, *found.get("escape", ("\\", 1))),
        syntax=found.get("syntax", ("", 1))[0] or _syntax_elsewhere(source),
        check=_check(source, *found.get("check", ("", 1))),
        lines=count,
    )


def _escape(source: Source, value: str, line: int) -> str:
    if value not in {"\\", "`"}:
        problem = f"invalid escape token '{value}' does not match ` or \\"
        raise DockerfileError(problem, source, Place(line))
    return value


def _check(source: Source, value: str, line: int) -> CheckOptions:
    try:
        return CheckOptions.parse(value)
    except ValueError as error:
        problem = f"failed to parse check options: {error}"
        raise DockerfileError(problem, source, Place(line)) from error


def _syntax_elsewhere(source: Source) -> str:
    """``// syntax=IMAGE`` and ``{"syntax": "IMAGE"}``: other languages' ways to say the same."""
    first = source.lines[0].strip() if source.lines else ""
    for form in (r"//\s*syntax\s*=\s*(\S+)", r'\{\s*"syntax"\s*:\s*"([^"]+)".*'):
        if match := re.fullmatch(form, first):
            return match[1]
    return ""
