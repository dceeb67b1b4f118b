"""The build cache as BuildKit's clients list and prune it."""

import re
from typing import Final

from knarr.build.housekeeping import Housekeeping, Prune
from knarr.buildkit.grpc import Call
from knarr.buildkit.messages import (
    PruneRequest,
    Timestamp,
    UsageRecord,
    UsageRequest,
    UsageResponse,
)
from knarr.errors import InvalidArgument
from knarr.spec.docker.build import BuildCache
from knarr.times import rfc3339_ns

_FILTER: Final = re.compile(r"([a-z.]+)(==?)(.*)")


class Caches:
    """One for the daemon."""

    def __init__(self, housekeeping: Housekeeping) -> None:
        self._housekeeping = housekeeping

    async def usage(self, asked: UsageRequest, _: Call) -> UsageResponse:
        filters = filters_of(asked.filter)
        known = await self._housekeeping.usage()
        return UsageResponse(record=[_record(each) for each in known if _suits(each, filters)])

    async def prune(self, call: Call) -> None:
        """The entries that are gone, one message for each."""
        asked = await call.receive(PruneRequest) or PruneRequest()
        filters = filters_of(asked.filter)
        if asked.keep_duration_ns:
            filters["unused-for"] = [f"{asked.keep_duration_ns // 1_000_000_000}s"]
        known = {each.id: each for each in await self._housekeeping.usage()}
        gone = await self._housekeeping.prune(
            Prune(
                everything=asked.all,
                filters=filters,
                reserved_bytes=asked.reserved_bytes,
                max_used_bytes=asked.max_used_bytes,
                min_free_bytes=asked.min_free_bytes,
            )
        )
        for identifier in gone.caches_deleted:
            if (each := known.get(identifier)) is not None:
                await call.send(_record(each))


def filters_of(texts: list[str]) -> dict[str, list[str]]:
    """``type==regular``, as clients write what ``--filter`` says. Raises InvalidArgument."""
    filters: dict[str, list[str]] = {}
    for text in filter(None, texts):
        match = _FILTER.fullmatch(text)
        if match is None:
            raise InvalidArgument(f'invalid filter "{text}": NAME=VALUE is known')
        filters.setdefault(match[1], []).append(match[3])
    return filters


def _suits(entry: BuildCache, filters: dict[str, list[str]]) -> bool:
    known = {
        "id": entry.id, "type": entry.type, "description": entry.description,
        "inuse": str(entry.in_use).lower(), "shared": str(entry.shared).lower(),
        "private": str(not entry.shared).lower(),
    }  # fmt: skip
    for name in filters:
        if name not in known:
            raise InvalidArgument(f"invalid filter '{name}': {', '.join(known)} are known")
    return all(known[name] in values for name, values in filters.items())


def _record(entry: BuildCache) -> UsageRecord:
    return UsageRecord(
        id=entry.id,
        mutable=entry.type == "exec.cachemount",
        in_use=entry.in_use,
        size=entry.size,
        created=Timestamp.of(rfc3339_ns(entry.created_at)) if entry.created_at else None,
        last_used=Timestamp.of(rfc3339_ns(entry.last_used_at)) if entry.last_used_at else None,
        usage_count=entry.usage_count,
        description=entry.description,
        type=entry.type,
        shared=entry.shared,
        parents=list(entry.parents or ()),
    )
