"""Indexes of images that are in a registry, as ``buildx imagetools`` shows and makes them.

Source: buildx 0.24, what its ``imagetools`` commands print and push.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence

from knarr.cli.cli import Cli
from knarr.cli.manifests import INDEXES, OCI_INDEX, fetched
from knarr.client.lean import Any, Final
from knarr.errors import InvalidArgument
from knarr.reference import Reference

Entry = dict[str, Any]

_ATTESTS: Final = "vnd.docker.reference.digest"
_INDEX_KEYS: Final = ("index", "manifest-descriptor")


class Part:
    """A descriptor of an index that is being made, and in which repository its manifest is."""

    __slots__ = ("descriptor", "ref")

    def __init__(self, descriptor: Entry, ref: Reference) -> None:
        self.descriptor, self.ref = descriptor, ref


class Fields:
    """A JSON object as a Go template sees it: by names with a capital, printed as JSON."""

    go_type = "imagetools.tplInput"

    def __init__(self, plain: Mapping[str, Any]) -> None:
        self._plain = {name[:1].upper() + name[1:]: value for name, value in plain.items()}
        self._whole = dict(plain)

    def field(self, name: str) -> Any:
        value = self._plain[name]
        return Fields(value) if isinstance(value, dict) else value

    def as_json(self) -> str:
        return json.dumps(self._whole, indent=2, ensure_ascii=False)

    def __str__(self) -> str:
        return self.as_json()


def raw_of(found: Entry) -> bytes:
    return base64.b64decode(found["Raw"])


def parts_of(cli: Cli, source: str) -> list[Part]:
    """The manifests that a source brings: an index's, or the one that it is. Raises NotFound."""
    ref = Reference.parse(source).tagged()
    found = fetched(cli, ref)
    descriptor: Entry = found["Descriptor"]
    if descriptor["mediaType"] not in INDEXES:
        return [Part(descriptor, ref)]
    return [Part(each, ref) for each in json.loads(raw_of(found)).get("manifests", ())]


def described(cli: Cli, text: str, targets: Sequence[Reference]) -> Part:
    """A source that is written as a descriptor: JSON of it, perhaps without the repository."""
    try:
        descriptor = json.loads(text)
        digest = str(descriptor["digest"])
    except (ValueError, TypeError, KeyError) as error:
        raise InvalidArgument("a descriptor is JSON with a digest") from error
    if not targets:
        raise InvalidArgument("a descriptor says no repository: name the target by --tag")
    ref = Reference.parse(f"{targets[0].name}@{digest}")
    return Part({**fetched(cli, ref)["Descriptor"], **descriptor}, ref)


def kept(parts: Iterable[Part], platforms: Sequence[Mapping[str, str]]) -> list[Part]:
    """Each once; only those of the platforms, with what attests to them."""
    once = {part.descriptor["digest"]: part for part in parts}
    if not platforms:
        return list(once.values())

    def fits(part: Part) -> bool:
        offered = part.descriptor.get("platform") or {}
        return any(
            all(offered.get(name) == value for name, value in wanted.items())
            for wanted in platforms
        )

    meant = {digest: part for digest, part in once.items() if fits(part)}
    for digest, part in once.items():
        if (part.descriptor.get("annotations") or {}).get(_ATTESTS) in meant:
            meant[digest] = part
    if not meant:
        raise InvalidArgument("none of the sources is for these platforms")
    return list(meant.values())


def annotated(parts: Sequence[Part], annotations: Sequence[str]) -> dict[str, str]:
    """Puts annotations on the parts' descriptors; returns those of the index.

    Raises InvalidArgument for other kinds: manifests in a registry are not changed.
    """
    of_index: dict[str, str] = {}
    for text in annotations:
        place, key, value = _annotation(text)
        kind, _, platform = place.partition("[")
        if kind not in _INDEX_KEYS:
            raise InvalidArgument(
                f"annotation {text!r}: what is in a registry stays as it is: annotate"
                f" {' or '.join(_INDEX_KEYS)}"
            )
        if kind == "index":
            of_index[key] = value
            continue
        for part in parts:
            if not platform or platform.removesuffix("]") == _text(part.descriptor):
                part.descriptor = {
                    **part.descriptor,
                    "annotations": {**(part.descriptor.get("annotations") or {}), key: value},
                }
    return of_index


def _annotation(text: str) -> tuple[str, str, str]:
    """``[TYPE[PLATFORM]:]KEY=VALUE``; without a type it is the index's."""
    key, equals, value = text.partition("=")
    if not equals or not key:
        raise InvalidArgument(f"invalid annotation {text!r}, expected key=value")
    place, colon, rest = key.rpartition(":")
    return (place, rest, value) if colon else ("index", key, value)


def _text(descriptor: Entry) -> str:
    platform = descriptor.get("platform") or {}
    return "/".join(filter(None, (platform.get(n) for n in ("os", "architecture", "variant"))))


def index_bytes(parts: Sequence[Part], annotations: Mapping[str, str]) -> bytes:
    """The index, as buildx writes it."""
    document: Entry = {
        "schemaVersion": 2,
        "mediaType": OCI_INDEX,
        "manifests": [part.descriptor for part in parts],
    }
    if annotations:
        document["annotations"] = dict(annotations)
    return json.dumps(document, indent=2, ensure_ascii=False).encode()


def digest_of(raw: bytes) -> str:
    return f"sha256:{hashlib.sha256(raw).hexdigest()}"


def shown(name: str, found: Entry) -> str:
    """What ``inspect`` prints without a format."""
    descriptor = found["Descriptor"]
    lines = [f"Name:      {name}", f"MediaType: {descriptor['mediaType']}",
             f"Digest:    {descriptor['digest']}"]  # fmt: skip
    if descriptor["mediaType"] in INDEXES:
        lines += ["           ", "Manifests: "]
        blocks = [
            _block(f"{name.partition('@')[0]}@{each['digest']}", each)
            for each in json.loads(raw_of(found)).get("manifests", ())
        ]
        lines += "\n             \n".join(blocks).split("\n")
    return "\n".join(lines)


def _block(name: str, entry: Entry) -> str:
    platform = _text(entry)
    annotations = entry.get("annotations") or {}
    gap = "Name:        " if annotations else "Name:      "
    width = len(gap)
    rows = [("Name:", name), ("MediaType:", entry.get("mediaType", "")), ("Platform:", platform)]
    lines = [f"  {label.ljust(width)}{value}" for label, value in rows if value]
    if annotations:
        lines.append("  Annotations: ")
        lines += [f"    {key}: {' ' * 5}{value}" for key, value in sorted(annotations.items())]
    return "\n".join(lines)
