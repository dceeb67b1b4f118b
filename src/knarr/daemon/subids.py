"""Which users and groups a user namespace may have: /etc/subuid and /etc/subgid, pure.

Source: subuid(5); Docker, "Isolate containers with a user namespace", on the spellings.
"""

from collections.abc import Collection, Iterator

from knarr.errors import InvalidArgument
from knarr.kernel.owners import Span

LINES_MAX = 340  # of one map, user_namespaces(7)


def spans_of(text: str, names: Collection[str], file: str) -> tuple[Span, ...]:
    """The ranges that a file gives to somebody, laid one after the other from 0.

    names: how he may be called there: his name and his number. file: for what is said of it.
    Raises InvalidArgument where there is none, or one that makes no sense.
    """
    spans, first = [], 0
    for outside, size in _ranges(text, names, file):
        if outside == 0:
            raise InvalidArgument(f"{file} gives root's own number to {max(names)}: begin above 0")
        spans.append(Span(first, outside, size))
        first += size
    if not spans:
        name = max(names)
        raise InvalidArgument(
            f"{file} has no range for {name}: add the line {name}:100000:65536, or one whose"
            " numbers nobody else has"
        )
    return tuple(spans[:LINES_MAX])


def _ranges(text: str, names: Collection[str], file: str) -> Iterator[tuple[int, int]]:
    for number, line in enumerate(text.splitlines(), start=1):
        fields = line.strip().split(":")
        if fields[0] not in names:
            continue
        try:
            _, outside, size = fields
            found = int(outside), int(size)
        except ValueError:
            raise InvalidArgument(f"{file}:{number}: {line!r} is not NAME:FIRST:COUNT") from None
        if found[0] < 0 or found[1] < 1 or sum(found) > 0xFFFFFFFF:
            raise InvalidArgument(f"{file}:{number}: {line!r} is no range of numbers")
        yield found
