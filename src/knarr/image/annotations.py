"""What is said of an image beside its config: annotations of manifests, and of the index of them.

Source: OCI image-spec, annotations.md; buildx reference, "annotation". Pure.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final, Self

from knarr.errors import InvalidArgument, Unsupported
from knarr.spec.oci.image import Platform
from knarr.spec.oci.platform import parse_platform, suits

_KINDS: Final = frozenset({"manifest", "index", "manifest-descriptor", "index-descriptor"})
_LEAD: Final = re.compile(r"(?P<kinds>[a-z,-]+)(?:\[(?P<platform>[A-Za-z0-9_/-]+)\])?:(?P<rest>.*)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Annotation:
    """One of them. platform: None for the images of all platforms."""

    kind: str
    key: str
    value: str
    platform: Platform | None = None


@dataclass(frozen=True, slots=True)
class Annotations:
    """All that are given to one name."""

    given: tuple[Annotation, ...] = field(default=())

    def __bool__(self) -> bool:
        return bool(self.given)

    @classmethod
    def parse(cls, texts: Iterable[str]) -> Self:
        """``[KIND[,KIND][[PLATFORM]]:]KEY=VALUE``; the manifest's where no kind is said.

        Raises InvalidArgument; Unsupported for what there is no place for.
        """
        return cls(tuple(each for text in texts for each in _parsed(text)))

    def of_index(self) -> Mapping[str, str]:
        return {each.key: each.value for each in self.given if each.kind == "index"}

    def of_manifest(self, platform: Platform) -> Mapping[str, str]:
        return self._of("manifest", platform)

    def of_descriptor(self, platform: Platform) -> Mapping[str, str]:
        """Of the entry in the index."""
        return self._of("manifest-descriptor", platform)

    def _of(self, kind: str, platform: Platform) -> Mapping[str, str]:
        return {
            each.key: each.value
            for each in self.given
            if each.kind == kind and (each.platform is None or suits(each.platform, platform) == 0)
        }


def _parsed(text: str) -> Iterable[Annotation]:
    kinds, platform, rest = ("manifest",), None, text
    lead = _LEAD.fullmatch(text)
    if lead is not None and "=" in lead["rest"]:
        kinds = tuple(lead["kinds"].split(","))
        rest = lead["rest"]
        unknown = [kind for kind in kinds if kind not in _KINDS]
        if unknown:
            raise InvalidArgument(f'unknown annotation type "{unknown[0]}" in {text!r}')
        platform = parse_platform(lead["platform"]) if lead["platform"] else None
    key, equals, value = rest.partition("=")
    if not equals or not key:
        raise InvalidArgument(f'invalid annotation "{text}", expected key=value')
    if "index-descriptor" in kinds:
        raise Unsupported(
            f'annotation "{text}": an index is stored without a descriptor of its own;'
            " annotate the index"
        )
    return [Annotation(kind=kind, key=key, value=value, platform=platform) for kind in kinds]
