"""A project as a document again: what ``config`` prints, and what the config hash is made of."""

import hashlib
import json
from typing import Any, Final

from yaml.emitter import Emitter
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode
from yaml.resolver import BaseResolver
from yaml.serializer import Serializer

from knarr.compose.gotext import json_number, plain_number
from knarr.compose.model import file_shape, service_shape
from knarr.compose.project import Project, Service
from knarr.compose.scalar import needs_quotes
from knarr.compose.shape import Form
from knarr.compose.tree import sorted_tree

_RESOURCES: Final = ("networks", "volumes", "secrets", "configs", "models")
_UNHASHED: Final = ("build", "pull_policy", "scale", "depends_on", "profiles")


def document(project: Project, form: Form) -> dict[str, Any]:
    """The project's document, its keys in the order in which they are printed."""
    shapes = file_shape().fields
    services = {name: each.values for name, each in project.services.items()}
    named = project.name or form is Form.JSON
    parts: dict[str, Any] = {"name": project.name} if named else {}
    parts["services"] = shapes["services"].write(services, form)
    for kind in _RESOURCES:
        declared = getattr(project, kind)
        if declared and not (kind == "models" and form is Form.JSON):
            parts[kind] = shapes[kind].write(declared, form)
    extensions = sorted_tree(dict(project.extensions), natural=form is Form.YAML)
    whole = {**parts, **extensions}
    return whole if form is Form.YAML else {key: whole[key] for key in sorted(whole)}


def as_yaml(tree: Any) -> str:
    """The tree as Compose writes YAML: two spaces, lists indented, quotes where they are needed."""
    pieces: list[str] = []
    dumper = _Dumper(_Pieces(pieces))
    dumper.open()
    dumper.serialize(_node(tree))
    dumper.close()
    return "".join(pieces)


def as_json(tree: Any, *, indent: bool = True) -> str:
    """The tree as Go writes JSON: ``<``, ``>`` and ``&`` escaped, no needless fractions."""
    return "".join(_json(tree, "\n" if indent else ""))


def service_hash(service: Service) -> str:
    """What tells whether a container is still what its service says: Compose's own hash of it."""
    hashed = service.without(*_UNHASHED)
    deploy = hashed.get("deploy")
    if deploy and "replicas" in deploy:
        kept = {key: value for key, value in deploy.items() if key != "replicas"}
        hashed = hashed.with_values(deploy=kept)
    written = service_shape().write(hashed.values, Form.JSON)
    return _sha256(as_json(written, indent=False))


def network_hash(network: Any) -> str:
    return _resource_hash("networks", network)


def volume_hash(volume: Any) -> str:
    return _resource_hash("volumes", {**volume, "driver": volume.get("driver") or "local"})


def _resource_hash(kind: str, resource: Any) -> str:
    written = file_shape().fields[kind].write({"": resource}, Form.JSON)[""]
    return _sha256(as_json(written, indent=False))


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


_HTML: Final = str.maketrans(
    {"<": "\\u003c", ">": "\\u003e", "&": "\\u0026", "\u2028": "\\u2028", "\u2029": "\\u2029"}
)


def _json(tree: Any, newline: str) -> list[str]:
    match tree:
        case dict() if tree:
            inner = newline and newline + "  "
            colon = ": " if newline else ":"
            pieces = []
            for key, value in tree.items():
                pieces += [",", inner, _text(key), colon, *_json(value, inner)]
            return ["{", *pieces[1:], newline, "}"]
        case list() if tree:
            inner = newline and newline + "  "
            pieces = []
            for value in tree:
                pieces += [",", inner, *_json(value, inner)]
            return ["[", *pieces[1:], newline, "]"]
        case dict():
            return ["{}"]
        case list():
            return ["[]"]
        case float():
            return [json_number(tree)]
        case str():
            return [_text(tree)]
    return [json.dumps(tree)]


def _text(text: str) -> str:
    return json.dumps(text, ensure_ascii=False).translate(_HTML)


class _Pieces:
    """A stream that keeps what is written to it."""

    def __init__(self, pieces: list[str]) -> None:
        self._pieces = pieces

    def write(self, text: str) -> None:
        self._pieces.append(text)


class _Dumper(Emitter, Serializer, BaseResolver):
    """PyYAML's emitter with go-yaml's habits."""

    def __init__(self, stream: _Pieces) -> None:
        Emitter.__init__(self, stream, indent=2, width=1_000_000_000, allow_unicode=True)
        Serializer.__init__(self)
        BaseResolver.__init__(self)

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:  # noqa: ARG002
        """Lists are indented below their key."""
        Emitter.increase_indent(self, flow=flow, indentless=False)


_STRING: Final = "tag:yaml.org,2002:str"


def _node(value: Any) -> Node:
    match value:
        case dict():
            pairs = [(_node(key), _node(item)) for key, item in value.items()]
            return MappingNode("tag:yaml.org,2002:map", pairs, flow_style=not value)
        case list():
            items = [_node(item) for item in value]
            return SequenceNode("tag:yaml.org,2002:seq", items, flow_style=not value)
        case str():
            return ScalarNode(_STRING, value, style=_style(value))
    return ScalarNode(_STRING, _plain(value))


def _style(text: str) -> str | None:
    if "\n" in text:
        return "|"
    needs = not text or needs_quotes(text) or max(text) > "\uffff"
    return '"' if needs else None


def _plain(value: Any) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return "true" if value else "false"
        case float():
            return plain_number(value)
    return str(value)
