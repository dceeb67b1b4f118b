"""Trees of plain values: what is taken out of them, the order in which documents show keys."""

from collections.abc import Iterable
from itertools import zip_longest
from typing import Any

from knarr.compose.origin import Path


def in_order(keys: Iterable[str], *, natural: bool) -> list[str]:
    """Keys as JSON documents have them (by code point) or as YAML ones (numbers by their value)."""
    return sorted(keys, key=_NaturalKey) if natural else sorted(keys)


def sorted_tree(value: Any, *, natural: bool) -> Any:
    """The same tree with the keys of every mapping in order."""
    match value:
        case dict():
            keys = in_order(value, natural=natural)
            return {key: sorted_tree(value[key], natural=natural) for key in keys}
        case list():
            return [sorted_tree(item, natural=natural) for item in value]
    return value


class _NaturalKey:
    """Compares as go-yaml does: letters after everything else, runs of digits by value."""

    __slots__ = ("text",)

    def __init__(self, text: str) -> None:
        self.text = text

    def __lt__(self, other: "_NaturalKey") -> bool:
        return _natural_less(self.text, other.text)


def _natural_less(one: str, two: str) -> bool:
    digits = False
    for index, (a, b) in enumerate(zip_longest(one, two, fillvalue="")):
        if a == b:
            digits = a.isdigit()
            continue
        if not a or not b:
            return not a
        return _differs_less(one, two, index, digits)
    return False


def _differs_less(one: str, two: str, index: int, digits: bool) -> bool:
    """Which is less where the two first differ; ``digits`` tells whether a digit came before."""
    a, b = one[index], two[index]
    if a.isalpha() and b.isalpha():
        return a < b
    if a.isalpha() or b.isalpha():
        return a.isalpha() if digits else b.isalpha()
    prefix = "1" if "0" in (a, b) and _significant_before(one, index) else ""
    first, second = _digits(one, index), _digits(two, index)
    key, other = int(prefix + first or "0"), int(prefix + second or "0")
    return (key, len(first), a) < (other, len(second), b)


def _digits(text: str, index: int) -> str:
    """The run of digits that begins at ``index``; it may be empty."""
    end = index
    while end < len(text) and text[end].isdigit():
        end += 1
    return text[index:end]


def _significant_before(text: str, index: int) -> bool:
    """Whether the run of digits that ends before ``index`` has one that is not zero."""
    while index > 0 and text[index - 1].isdigit():
        index -= 1
        if text[index] != "0":
            return True
    return False


def without(tree: dict[str, Any], paths: tuple[Path, ...]) -> dict[str, Any]:
    """A tree without what is at the paths; entries of lists stay, they have no names."""
    for path in paths:
        tree = _without(tree, path)
    return tree


def _without(tree: Any, path: Path) -> Any:
    if not isinstance(tree, dict) or not path or path[0] not in tree:
        return tree
    if len(path) == 1:
        return {key: value for key, value in tree.items() if key != path[0]}
    return {**tree, path[0]: _without(tree[path[0]], path[1:])}
