"""``${VARIABLE:-default}`` and its kin, as Compose expands them.

Forms: ``$V  ${V}  ${V-d}  ${V:-d}  ${V?e}  ${V:?e}  ${V+r}  ${V:+r}``; what follows the operator
may hold further variables; ``$$`` is one dollar. With the colon an empty value counts as unset.
A dollar before anything else (``$5``, ``$ ``) is left alone.
Source: Compose Specification, Interpolation.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from knarr.compose.document import Document
from knarr.compose.origin import ComposeFileError, Path, dotted
from knarr.errors import InvalidArgument

_NAME: Final = r"[_a-zA-Z][_a-zA-Z0-9]*"
_OPENING: Final = re.compile(rf"\$(?:(?P<dollar>\$)|(?P<name>{_NAME})|(?P<brace>{{))")
_INSIDE: Final = re.compile(rf"(?P<name>{_NAME})(?:(?P<operator>:?[-+?])(?P<word>.*))?")


class InvalidTemplate(InvalidArgument):
    """A ``${`` that no form fits."""


class MissingVariable(InvalidArgument):
    """A required variable that is unset, or empty where ``:?`` asks for more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Variable:
    """A variable that a template names, with what stands in for it."""

    name: str
    default: str = ""
    alternative: str = ""  # of ``${V:+alternative}``
    required: bool = False


def substitute(
    template: str, variables: Mapping[str, str], unset: Callable[[str], None] = lambda _: None
) -> str:
    """The text with its variables expanded; ``unset`` hears of each that became blank.

    Raises InvalidTemplate, MissingVariable.
    """
    if "$" not in template:
        return template
    pieces: list[str] = []
    position = 0
    while (match := _OPENING.search(template, position)) is not None:
        pieces.append(template[position : match.start()])
        position = match.end()
        if match["dollar"]:
            pieces.append("$")
        elif match["name"]:
            pieces.append(_plain(match["name"], variables, unset))
        else:
            end = _closing(template, position)
            pieces.append(_braced(template, template[position:end], variables, unset))
            position = end + 1
    pieces.append(template[position:])
    return "".join(pieces)


def _plain(name: str, variables: Mapping[str, str], unset: Callable[[str], None]) -> str:
    value = variables.get(name)
    if value is None:
        unset(name)
    return value or ""


def _braced(
    template: str, inside: str, variables: Mapping[str, str], unset: Callable[[str], None]
) -> str:
    match = _INSIDE.fullmatch(inside)
    if match is None:
        raise InvalidTemplate(template)
    name, operator = match["name"], match["operator"]
    if operator is None:
        return _plain(name, variables, unset)
    # The word is expanded whether it is needed or not: a mistake in it shows at once.
    word = substitute(match["word"], variables, unset)
    value = variables.get(name)
    present = bool(value) if operator.startswith(":") else value is not None
    match operator[-1]:
        case "-":
            return (value or "") if present else word
        case "+":
            return word if present else (value or "")
        case _ if present:
            return value or ""
    reason = f": {word}" if word else ""
    raise MissingVariable(f"required variable {name} is missing a value{reason}")


def _closing(template: str, start: int) -> int:
    """Where the brace that opened before ``start`` closes, on the same line.

    Braces inside (a default that is JSON) count; if they do not balance, the last one closes.
    """
    end = template.find("\n", start)
    line_end = len(template) if end < 0 else end
    depth = 1
    for position in range(start, line_end):
        if template[position] == "{":
            depth += 1
        elif template[position] == "}":
            depth -= 1
            if depth == 0:
                return position
    last = template.rfind("}", start, line_end)
    if last < 0:
        raise InvalidTemplate(template)
    return last


def interpolated(
    document: Document, variables: Mapping[str, str], unset: Callable[[str], None]
) -> Any:
    """The document's tree with every text value expanded; keys stay as they are.

    Raises ComposeFileError with the line of the value.
    """

    def expand(value: Any, path: Path) -> Any:
        match value:
            case str() if "$" in value:
                try:
                    return substitute(value, variables, unset)
                except InvalidArgument as error:
                    raise _at(error, document, path) from error
            case dict():
                return {key: expand(item, (*path, key)) for key, item in value.items()}
            case list():
                return [expand(item, (*path, str(index))) for index, item in enumerate(value)]
        return value

    return expand(document.root, ())


def _at(error: InvalidArgument, document: Document, path: Path) -> ComposeFileError:
    if isinstance(error, InvalidTemplate):
        complaint = (
            f"invalid interpolation format for {dotted(path)}.\n"
            f"You may need to escape any $ with another $.\n{error}"
        )
    else:
        complaint = f"error while interpolating {dotted(path)}: {error}"
    return ComposeFileError(complaint, document.origin(path))


def variables_in(value: Any) -> Iterator[Variable]:
    """Every variable that the texts of a tree name, those inside defaults included."""
    match value:
        case str():
            yield from _variables_of(value)
        case dict():
            for item in value.values():
                yield from variables_in(item)
        case list():
            for item in value:
                yield from variables_in(item)


def _variables_of(template: str) -> Iterator[Variable]:
    position = 0
    while (match := _OPENING.search(template, position)) is not None:
        position = match.end()
        if match["name"]:
            yield Variable(name=match["name"])
        elif match["brace"]:
            end = _closing(template, position)
            yield from _variable_inside(template[position:end])
            position = end + 1


def _variable_inside(inside: str) -> Iterator[Variable]:
    match = _INSIDE.fullmatch(inside)
    if match is None:
        return
    word, kind = match["word"] or "", (match["operator"] or " ")[-1]
    yield Variable(
        name=match["name"],
        default=word if kind == "-" else "",
        alternative=word if kind == "+" else "",
        required=kind == "?",
    )
    yield from _variables_of(word if kind in "-+" else "")
