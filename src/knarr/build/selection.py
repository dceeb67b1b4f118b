"""Which entries a COPY takes, and what they are called beneath its destination.

Pure but for what it asks the tree. Source: Dockerfile reference, "COPY"; moby/buildkit for what the
reference leaves open.
"""

import os
import posixpath
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Final, NamedTuple

from knarr.build.tree import Entry, Tree, resolve, walk
from knarr.errors import NotFound
from knarr.patterns import IgnoreRules, has_wildcard, wildcard

_SHOWN: Final = 8  # names told when one is missing


@dataclass(frozen=True, slots=True)
class Picked:
    """One source of a COPY, found.

    name: what it is called in a destination folder: ``b`` for ``a/b``, ``a/b`` with --parents.
    entry: what is there; a link that was named itself has been followed.
    """

    name: str
    entry: Entry


def pick(tree: Tree, patterns: Sequence[str], *, parents: bool = False) -> list[Picked]:
    """What the patterns find, in their order. Raises NotFound in Docker's words.

    A wildcard may find nothing, as in ``COPY .npmrc* ./``: so it is in BuildKit.
    """
    return [each for pattern in patterns for each in _pick(tree, pattern, parents=parents)]


def exactly(tree: Tree, path: str) -> Picked:
    """What stands at a path in which nothing is a wildcard. Raises NotFound."""
    entry = resolve(tree, path)
    if entry is None:
        raise _missing(tree, path)
    return Picked(posixpath.basename(path), entry)


def _pick(tree: Tree, pattern: str, *, parents: bool) -> Iterator[Picked]:
    pivot = parents and "/./" in pattern
    before, _, after = pattern.partition("/./") if pivot else ("", "", pattern)
    before = posixpath.normpath(before) if before not in {"", "."} else ""
    plain = posixpath.join(before, after)
    plain = "" if plain == "." else plain
    paths = _matches(tree, plain, any_depth=parents) if has_wildcard(plain) else [plain]
    for path in paths:
        picked = exactly(tree, path)
        kept = path.removeprefix(f"{before}/") if pivot else path
        yield Picked(kept, picked.entry) if parents else picked


def _matches(tree: Tree, pattern: str, *, any_depth: bool) -> list[str]:
    """The paths that a pattern with wildcards matches, by name."""
    if any_depth and "**" in pattern:
        whole = wildcard(pattern, any_depth=True)
        return [entry.path for entry in walk(tree, "") if whole.fullmatch(entry.path)]
    found = [""]
    for part in pattern.split("/"):
        expression = wildcard(part)
        found = [
            f"{folder}/{name}" if folder else name
            for folder in found
            for name in tree.names(_real(tree, folder))
            if expression.fullmatch(name)
        ]
    return found


def _real(tree: Tree, path: str) -> str:
    entry = resolve(tree, path)
    return entry.path if entry is not None else path


def _missing(tree: Tree, path: str) -> NotFound:
    """Says what was there instead, as far as the path leads."""
    folder, name = posixpath.split(path)
    while folder and resolve(tree, folder) is None:
        folder, name = posixpath.split(folder)
    there = tree.names(_real(tree, folder))
    itself = tree.entry(path)
    if itself is not None and itself.is_symlink:
        target = os.fsdecode(itself.member.link)
        return _not_found(path, f": it is a link to {target}, which the context does not have")
    near = get_close_matches(name, there, n=1)
    hint = f" (did you mean {posixpath.join(folder, near[0])}?)" if near else ""
    shown = ", ".join(there[:_SHOWN]) + (", …" if len(there) > _SHOWN else "")
    where = f"{folder} has" if folder else "it has"
    listed = f"; {where}: {shown}" if there else f"; {folder or 'it'} is empty"
    return _not_found(path, f"{hint}{listed}")


def _not_found(path: str, more: str) -> NotFound:
    return NotFound(
        "COPY failed: file not found in build context or excluded by .dockerignore: "
        f"stat {path}: file does not exist{more}"
    )


class Placed(NamedTuple):
    """An entry and where in the new layer it goes, without a slash in front."""

    path: str
    entry: Entry
    top: bool = False  # the folder that was named itself, not one that was found in it


def place(
    tree: Tree,
    picked: Picked,
    destination: str,
    *,
    into: bool,
    exclude: IgnoreRules | None = None,
    parents: bool = False,
) -> Iterator[Placed]:
    """Where everything of one source goes; directories before what is in them.

    destination: without a slash in front. into: it is a folder that a file is put into; the
    contents of a directory always are, unless its parents are kept.
    exclude: rules on paths as they stand in the source.
    """
    entry = picked.entry
    target = _joined(destination, picked.name) if into or parents else destination
    if not entry.is_directory:
        if not (exclude and exclude.excludes(_source_path(picked, entry))):
            yield Placed(target, entry)
        return
    root = _joined(destination, picked.name) if parents else destination
    yield Placed(root, entry, top=True)
    prefix = len(entry.path) + 1 if entry.path else 0
    lead = f"{root}/" if root else ""
    for inner in walk(tree, entry.path, exclude.prunes if exclude else None):
        relative = inner.path[prefix:]
        if exclude is None or not exclude.excludes(inner.path if parents else relative):
            yield Placed(lead + relative, inner)


def _source_path(picked: Picked, entry: Entry) -> str:
    return picked.name or entry.path


def _joined(folder: str, name: str) -> str:
    return f"{folder}/{name}" if folder and name else folder or name
