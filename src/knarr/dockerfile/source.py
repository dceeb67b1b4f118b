"""Where something stands in a Dockerfile, and errors that show the lines around it."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Final

from knarr.errors import InvalidArgument

_LINES_AROUND: Final = 2


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """A position in a source, both counted from 1."""

    line: int
    column: int = 1


@dataclass(frozen=True, slots=True)
class Source:
    """The text of a Dockerfile and the name that people know it by."""

    text: str
    name: str = "Dockerfile"
    lines: tuple[str, ...] = field(init=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "lines", tuple(self.text.split("\n")))

    def excerpt(self, place: Place, last_line: int | None = None) -> str:
        """The lines around ``place`` with their numbers, those from it to ``last_line`` marked."""
        last = max(last_line or place.line, place.line)
        first_shown = max(place.line - _LINES_AROUND, 1)
        end = len(self.lines) - (self.lines[-1] == "" and last < len(self.lines))
        last_shown = min(last + _LINES_AROUND, end)
        shown = [f"{self.name}:{place.line}:{place.column}"]
        for number in range(first_shown, last_shown + 1):
            mark = ">>>" if place.line <= number <= last else "   "
            shown.append(f"{number:4} | {mark} {self.lines[number - 1].rstrip()}".rstrip())
            if number == place.line and place.column > 1:
                shown.append(f"     |     {' ' * (place.column - 1)}^")
        return "\n".join(shown)


class DockerfileError(InvalidArgument):
    """Something in a Dockerfile is wrong; the text names the line and shows it."""

    def __init__(
        self, problem: str, source: Source, place: Place, last_line: int | None = None
    ) -> None:
        self.problem, self.place, self.source = problem, place, source
        super().__init__(
            f"dockerfile parse error on line {place.line}: {problem}\n"
            f"{source.excerpt(place, last_line)}"
        )


class BuildError(InvalidArgument):
    """A Dockerfile that parses and still cannot be built as asked; shows the line as well."""

    def __init__(
        self, problem: str, source: Source, place: Place, last_line: int | None = None
    ) -> None:
        self.problem, self.place, self.source = problem, place, source
        super().__init__(f"{problem}\n{source.excerpt(place, last_line)}")


def suggestion(word: str, known: Iterable[str]) -> str:
    """`` (did you mean KNOWN?)`` where some known word is near, else nothing."""
    folded = {each.lower(): each for each in known}
    near = get_close_matches(word.lower(), folded, n=1, cutoff=0.6)
    return f" (did you mean {folded[near[0]]}?)" if near and folded[near[0]] != word else ""
