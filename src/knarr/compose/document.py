"""A compose file's text as a tree of plain values, with the line of each kept for errors.

Text becomes nodes, which know their lines; nodes become plain values: str, bool, int, float, None,
list and dict. Anchors are shared, merge keys (``<<``) resolved, a key that stands twice refused,
and the paths tagged ``!reset`` or ``!override`` noted for the merge with earlier files.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

import yaml
from yaml import events

from knarr.compose.origin import ComposeFileError, Origin, Path, dotted
from knarr.compose.scalar import resolve, resolve_tagged

_PARSER: Final[Any] = getattr(yaml, "CLoader", yaml.Loader)  # libyaml where there is one
_MERGE_KEY: Final = "<<"
_RESET: Final = "!reset"
_OVERRIDE: Final = "!override"
# A small file can name an anchor of anchors of anchors; what it stands for is bounded here.
_NODES_MAX: Final = 1_000_000


@dataclass(slots=True, eq=False)
class Node:
    """A piece of YAML as it was written: text, a list of nodes, or pairs of nodes."""

    line: int
    tag: str = ""
    text: str | None = None
    plain: bool = False  # unquoted: its looks decide what it is
    items: list["Node"] = field(default_factory=list)
    pairs: list[tuple["Node", "Node"]] | None = None
    size: int = 1  # nodes in it, aliases counted as what they stand for
    open: bool = True  # not all of it is read yet: an alias to it would contain itself


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """One YAML document of a file."""

    file: str
    root: Any
    replaced: tuple[Path, ...]  # paths tagged !reset or !override, to be dropped from earlier files
    node: Node

    def origin(self, path: Path) -> Origin:
        """The line of the value at ``path``, or of its nearest ancestor that is in this file."""
        return Origin(file=self.file, line=self._nearest(path)[0])

    def depth(self, path: Path) -> int:
        """How many keys of the path lead somewhere in this document."""
        return self._nearest(path)[1]

    def _nearest(self, path: Path) -> tuple[int, int]:
        node, line = self.node, self.node.line
        for depth, key in enumerate(path):
            found = _child(node, key)
            if found is None:
                return line, depth
            line, node = found
        return line, len(path)


def documents(text: str, file: str) -> list[Document]:
    """All documents of a file, in order; an empty file has none.

    Raises ComposeFileError for broken YAML, a repeated key, a key that is no text.
    """
    try:
        roots = list(_Composer(text, file).roots())
    except yaml.MarkedYAMLError as error:
        raise _broken(error, file) from error
    except yaml.YAMLError as error:
        raise ComposeFileError(f"yaml: {error}", Origin(file=file), about="failed to parse") from (
            error
        )
    return [_document(root, file) for root in roots]


def _broken(error: yaml.MarkedYAMLError, file: str) -> ComposeFileError:
    mark = error.problem_mark or error.context_mark
    origin = Origin(file=file, line=mark.line + 1 if mark else 0)
    return ComposeFileError(f"yaml: {error.problem}", origin, about="failed to parse")


def _document(root: Node, file: str) -> Document:
    reading = _Reading(file)
    value = reading.value(root, ())
    return Document(file=file, root=value, replaced=tuple(reading.replaced), node=root)


class _Composer:
    """Events of the parser to nodes. PyYAML's own composer would refuse an anchor's second use."""

    def __init__(self, text: str, file: str) -> None:
        self._events: Iterator[Any] = yaml.parse(text, Loader=_PARSER)
        self._file = file
        self._anchors: dict[str, Node] = {}

    def roots(self) -> Iterator[Node]:
        for event in self._events:
            if isinstance(event, events.DocumentStartEvent):
                self._anchors = {}
                yield self._node(next(self._events))

    def _node(self, event: Any) -> Node:
        line = event.start_mark.line + 1
        if isinstance(event, events.AliasEvent):
            return self._alias(event.anchor or "", line)
        node = Node(line=line, tag=event.tag or "")
        if event.anchor:
            self._anchors[event.anchor] = node
        match event:
            case events.ScalarEvent():
                node.text = event.value
                node.plain = event.implicit[0]
            case events.SequenceStartEvent():
                self._fill_sequence(node)
            case events.MappingStartEvent():
                self._fill_mapping(node)
        node.open = False
        return node

    def _alias(self, anchor: str, line: int) -> Node:
        node = self._anchors.get(anchor)
        origin = Origin(file=self._file, line=line)
        if node is None:
            raise ComposeFileError(
                f"yaml: unknown anchor '{anchor}' referenced", origin, about="failed to parse"
            )
        if node.open:
            raise ComposeFileError(
                f"yaml: anchor '{anchor}' value contains itself", origin, about="failed to parse"
            )
        return node

    def _fill_sequence(self, node: Node) -> None:
        while not isinstance(event := next(self._events), events.SequenceEndEvent):
            item = self._node(event)
            node.items.append(item)
            self._count(node, item)

    def _fill_mapping(self, node: Node) -> None:
        node.pairs = []
        while not isinstance(event := next(self._events), events.MappingEndEvent):
            pair = self._node(event), self._node(next(self._events))
            node.pairs.append(pair)
            self._count(node, *pair)

    def _count(self, node: Node, *inside: Node) -> None:
        node.size += sum(each.size for each in inside)
        if node.size > _NODES_MAX:
            origin = Origin(file=self._file, line=node.line)
            raise ComposeFileError("yaml: document contains excessive aliasing", origin)


class _Reading:
    """Nodes to plain values, noting what is tagged for replacement on the way."""

    def __init__(self, file: str) -> None:
        self._file = file
        self.replaced: list[Path] = []

    def value(self, node: Node, path: Path) -> Any:
        if node.tag == _OVERRIDE:
            self.replaced.append(path)
        if node.pairs is not None:
            return self._mapping(node.pairs, path)
        if node.text is None:
            items = enumerate(node.items)
            return [
                self.value(item, (*path, str(index)))
                for index, item in items
                if not self._is_reset(item, (*path, str(index)))
            ]
        return _scalar(node)

    def _is_reset(self, node: Node, path: Path) -> bool:
        if node.tag == _RESET:
            self.replaced.append(path)
        return node.tag == _RESET

    def _mapping(self, pairs: list[tuple[Node, Node]], path: Path) -> dict[str, Any]:
        seen: dict[str, int] = {}
        own: dict[str, Any] = {}
        merged: list[tuple[int, Node]] = []
        for key_node, node in pairs:
            key = self._key(key_node, path)
            if key in seen:
                raise ComposeFileError(
                    f'mapping key "{key}" already defined at line {seen[key]}',
                    Origin(file=self._file, line=key_node.line),
                    about="failed to parse",
                )
            seen[key] = key_node.line
            if key == _MERGE_KEY and key_node.plain:
                merged += [(key_node.line, source) for source in _merge_sources(node)]
            elif not self._is_reset(node, (*path, key)):
                own[key] = self.value(node, (*path, key))
        for line, source in merged:
            own = {**self._merge_source(source, line, path), **own}
        return own

    def _merge_source(self, node: Node, line: int, path: Path) -> dict[str, Any]:
        value = self.value(node, path)
        if isinstance(value, dict):
            return value
        raise ComposeFileError(
            "yaml: map merge requires map or sequence of maps as the value",
            Origin(file=self._file, line=line),
            about="failed to parse",
        )

    def _key(self, node: Node, path: Path) -> str:
        key = _scalar(node) if node.text is not None else node.text
        if isinstance(key, str):
            return key
        place = f"in {dotted(path)}" if path else "at top level"
        origin = Origin(file=self._file, line=node.line)
        raise ComposeFileError(f"non-string key {place}: {node.text}", origin)


def _scalar(node: Node) -> Any:
    text = node.text or ""
    if node.plain:
        return resolve(text)
    return resolve_tagged(text, node.tag) if node.tag else text


def _merge_sources(node: Node) -> list[Node]:
    is_list = node.text is None and node.pairs is None
    return node.items if is_list else [node]


def _child(node: Node, key: str) -> tuple[int, Node] | None:
    """The node under a key, and the line of the key; merge keys are looked into last."""
    if node.pairs is None:
        index = int(key) if key.isdecimal() else len(node.items)
        return (node.items[index].line, node.items[index]) if index < len(node.items) else None
    for key_node, value in node.pairs:
        if key_node.text == key:
            return key_node.line, value
    for key_node, value in node.pairs:
        if key_node.text == _MERGE_KEY:
            for source in _merge_sources(value):
                found = _child(source, key)
                if found is not None:
                    return found
    return None
