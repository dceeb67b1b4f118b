"""Which images a list or a prune means: the filters of the Engine API, as a question to each."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Self

from knarr.errors import InvalidArgument
from knarr.image.model import Image, created_ns
from knarr.patterns import wildcard
from knarr.reference import Reference
from knarr.times import moment_ns

Filters = Mapping[str, Sequence[str]]

LIST: Final = ("before", "dangling", "label", "label!", "reference", "since", "until")
PRUNE: Final = ("dangling", "label", "label!", "until")
_BOOLEAN: Final = {
    "true": True, "1": True, "t": True, "false": False, "0": False, "f": False,
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageFilter:
    """What is asked for, parsed once."""

    dangling: bool | None = None  # only those without a tag; only those with one; either
    labels: tuple[str, ...] = ()
    labels_not: tuple[str, ...] = ()
    patterns: tuple[str, ...] = ()
    before_ns: int | None = None  # made before this moment
    since_ns: int | None = None  # made after it

    @classmethod
    def parse(
        cls,
        filters: Filters,
        *,
        known: Iterable[str],
        created: Callable[[str], int],
        now_ns: int,
    ) -> Self:
        """``created`` tells when the image called so was made. Raises InvalidArgument, NotFound."""
        for name in filters:
            if name not in known:
                raise InvalidArgument(f"invalid filter '{name}'")
        before = [created(ref) for ref in filters.get("before", ())]
        before += [moment_ns(text, now_ns) for text in filters.get("until", ())]
        since = [created(ref) for ref in filters.get("since", ())]
        return cls(
            dangling=_boolean("dangling", filters.get("dangling", ())),
            labels=tuple(filters.get("label", ())),
            labels_not=tuple(filters.get("label!", ())),
            patterns=tuple(filters.get("reference", ())),
            before_ns=min(before, default=None),
            since_ns=max(since, default=None),
        )

    def admits(self, image: Image) -> bool:
        """Whether age and labels fit; names are another matter."""
        made = created_ns(image.document)
        if self.before_ns is not None and made >= self.before_ns:
            return False
        if self.since_ns is not None and made <= self.since_ns:
            return False
        labels = image.config.labels
        return all(_has(labels, each) for each in self.labels) and not any(
            _has(labels, each) for each in self.labels_not
        )

    def named(self, reference: Reference) -> bool:
        """Whether a name fits one of the patterns: in its short form, with the tag or without."""
        return not self.patterns or any(
            wildcard(pattern).fullmatch(text)
            for pattern in self.patterns
            for text in (reference.familiar, reference.familiar_name)
        )


def _has(labels: Mapping[str, str], wanted: str) -> bool:
    key, equals, value = wanted.partition("=")
    return key in labels and (not equals or labels[key] == value)


def _boolean(name: str, values: Sequence[str]) -> bool | None:
    if not values:
        return None
    if len(values) > 1 or values[0].lower() not in _BOOLEAN:
        raise InvalidArgument(f"invalid filter '{name}={','.join(values)}'")
    return _BOOLEAN[values[0].lower()]
