"""COPY and ADD: entries of a source, under another name, with another owner, as a layer."""

from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """Some paths of one of the operation's inputs.

    input: which of the vertex' inputs, counted from 1; input 0 is what is copied *onto*.
    paths: relative to the input's root, wildcards allowed.
    unpack: whether archives are unpacked: always, never, or (None) if it is a local archive.
    """

    input: int
    paths: tuple[str, ...]
    unpack: bool | None = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Copy:
    """Copy selections to ``destination``, an absolute path; a slash at its end makes it a folder.

    owner: ``user[:group]`` by name or number; empty keeps the source's.
    mode: octal or symbolic; empty keeps the source's.
    parents: keep the directories of each source path, those before ``/./`` excepted.
    follow: symbolic links in the destination's parents are followed (not so with --link).
    """

    kind: ClassVar[str] = "copy"
    selections: tuple[Selection, ...]
    destination: str
    owner: str = ""
    mode: str = ""
    exclude: tuple[str, ...] = ()
    parents: bool = False
    follow: bool = True

    def describe(self) -> str:
        paths = [path for selection in self.selections for path in selection.paths]
        return f"copy {' '.join(paths)} to {self.destination}"
