"""Events on the wire: which are wanted, from when to when, and how each is written."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import msgspec

from knarr.api.versions import ApiVersion
from knarr.errors import InvalidArgument
from knarr.events import Event, EventBus
from knarr.spec import encode
from knarr.spec.docker.system import EventActor, EventMessage
from knarr.store import Database
from knarr.times import moment_ns

Selection = Callable[[Event], bool]
_LAST_WITH_STATUS: Final[ApiVersion] = (1, 51)
_LINES: Final = "application/x-ndjson"
_SEQUENCE: Final = "application/json-seq"
_RECORD_SEPARATOR: Final = b"\x1e"  # RFC 7464
_OBJECTS: Final = ("container", "image", "volume", "network", "daemon", "plugin", "node",
                   "service", "secret", "config")  # fmt: skip
_KNOWN: Final = frozenset({*_OBJECTS, "event", "label", "scope", "type"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """From when to when, in nanoseconds since the epoch. None: from now on, for ever."""

    since_ns: int | None = None
    until_ns: int | None = None


def span_of(since: str, until: str, now_ns: int) -> Span:
    """An end without a beginning means all that is recorded up to there."""
    until_ns = moment_ns(until, now_ns) if until else None
    if since:
        return Span(since_ns=moment_ns(since, now_ns), until_ns=until_ns)
    return Span(since_ns=None if until_ns is None else 0, until_ns=until_ns)


def selection(filters: Mapping[str, Sequence[str]]) -> Selection:
    """A test for the events that the filters let through. Raises InvalidArgument if unknown."""
    for name in filters:
        if name not in _KNOWN:
            raise InvalidArgument(f"invalid filter '{name}'")

    def wanted(event: Event) -> bool:
        return all(_holds(event, name, values) for name, values in filters.items() if values)

    return wanted


def _holds(event: Event, name: str, values: Sequence[str]) -> bool:
    match name:
        case "type":
            return event.type in values
        case "event":
            return event.action in values or event.action.partition(":")[0] in values
        case "scope":
            return "local" in values
        case "label":
            return all(_labelled(event, value) for value in values)
        case "image":
            return any(_of_image(event, value) for value in values)
        case _:
            return event.type == name and any(_is_called(event, value) for value in values)


def _labelled(event: Event, wanted: str) -> bool:
    key, equals, value = wanted.partition("=")
    return key in event.attributes and (not equals or event.attributes[key] == value)


def _is_called(event: Event, wanted: str) -> bool:
    return event.actor.startswith(wanted) or event.attributes.get("name") == wanted


def _of_image(event: Event, wanted: str) -> bool:
    """An image's own events, and those of its containers; the tag may be left out."""
    named = event.attributes.get("name" if event.type == "image" else "image", "")
    candidates = {event.actor, named, named.rpartition(":")[0] or named}
    return event.type in ("image", "container") and wanted in candidates


async def between(db: Database, bus: EventBus, span: Span) -> AsyncIterator[Event]:
    """Recorded events of the span, then live ones; none is told twice and none is left out."""
    with bus.listening() as live:
        told_ns, now_ns = 0, time.time_ns()
        if span.since_ns is not None:
            end_ns = now_ns + 1 if span.until_ns is None else min(span.until_ns, now_ns) + 1
            for event in db.events_between(span.since_ns, end_ns):
                told_ns = event.time_ns
                yield event
        while span.until_ns is None or time.time_ns() < span.until_ns:
            try:
                async with asyncio.timeout(_left(span)):
                    event = await anext(live)
            except TimeoutError:
                return
            if event.time_ns > told_ns:
                yield event


def _left(span: Span) -> float | None:
    return None if span.until_ns is None else max(0, span.until_ns - time.time_ns()) / 1e9


def form_of(accepted: str, version: ApiVersion) -> str:
    """The media type of a stream of events: the first of ``Accept`` that there is, or lines."""
    for each in accepted.split(","):
        name = each.partition(";")[0].strip().lower()
        if name in (_LINES, _SEQUENCE, "application/jsonl"):
            return name
    return _LINES if version > _LAST_WITH_STATUS else "application/json"


def framed(told: bytes, form: str) -> bytes:
    """A line as a record of the media type."""
    return _RECORD_SEPARATOR + told if form == _SEQUENCE else told


def line(event: Event, version: ApiVersion) -> bytes:
    """One event as one line of JSON, with the old spelling beside the new one below 1.52."""
    message = EventMessage(
        type=event.type,
        action=event.action,
        actor=EventActor(id=event.actor, attributes=dict(sorted(event.attributes.items()))),
        scope="local",
        time=event.time_ns // 1_000_000_000,
        time_nano=event.time_ns,
    )
    if version > _LAST_WITH_STATUS or event.type not in ("container", "image"):
        return encode(message) + b"\n"
    old = {"status": event.action, "id": event.actor}
    if event.type == "container":
        old["from"] = event.attributes.get("image", "")
    return encode({**old, **msgspec.to_builtins(message)}) + b"\n"
