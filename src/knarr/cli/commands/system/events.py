import time

from knarr.cli.cli import Cli
from knarr.cli.command import Annotated, Flag, command
from knarr.cli.exit import BadTemplate
from knarr.cli.flags import FILTER, INSPECT_FORMAT_HELP, wanted
from knarr.cli.moments import moment
from knarr.client.calls import system
from knarr.client.lean import Any

_BILLION = 1_000_000_000


@command("system events")
def events(
    cli: Cli,
    *,
    filter_: Annotated[
        tuple[tuple[str, str], ...], Flag("Keep only matching events", short="-f", kind=FILTER)
    ] = (),
    format_: Annotated[str, Flag(INSPECT_FORMAT_HELP)] = "",
    since: Annotated[str, Flag("Begin with what happened after this moment")] = "",
    until: Annotated[str, Flag("End at this moment")] = "",
) -> None:
    """Show what happens in the engine, as it happens"""
    show = _shown_by(format_)
    request = system.events(
        since=moment(since) if since else None,
        until=moment(until) if until else None,
        where=wanted(filter_),
    )
    for event in cli.engine.lines(request):
        cli.print(show(event))
        cli.out.flush()


def _shown_by(form: str) -> Any:
    if not form:
        return _line
    from knarr.cli.formatted import unescaped
    from knarr.cli.records import Record
    from knarr.template import Template, TemplateError
    from knarr.template_functions import json_text

    if form == "json":
        return json_text

    def record(event: dict[str, Any]) -> Record:
        actor = event.get("Actor") or {"ID": "", "Attributes": {}}
        values = {
            "Status": event.get("status", ""), "ID": event.get("id", ""),
            "From": event.get("from", ""), "Type": event.get("Type", ""),
            "Action": event.get("Action", ""), "Actor": actor, "Scope": event.get("scope", ""),
            "Time": event.get("time", 0), "TimeNano": event.get("timeNano", 0),
        }  # fmt: skip
        return Record("*events.Message", values)

    try:
        template = Template(unescaped(form))
        template.render(record({}))  # a field that no event has is told before the first one
    except TemplateError as error:
        raise BadTemplate(f"Error parsing format: {error}") from error
    return lambda event: template.render(record(event))


def _line(event: dict[str, Any]) -> str:
    nanoseconds = event.get("timeNano") or event.get("time", 0) * _BILLION
    actor = event.get("Actor") or {}
    attributes = sorted((actor.get("Attributes") or {}).items())
    text = f"{_stamp(nanoseconds)} {event['Type']} {event['Action']} {actor.get('ID', '')}"
    pairs = ", ".join(f"{name}={value}" for name, value in attributes)
    return f"{text} ({pairs})" if pairs else text


def _stamp(nanoseconds: int) -> str:
    seconds, rest = divmod(nanoseconds, _BILLION)
    local = time.localtime(seconds)
    offset = abs(local.tm_gmtoff) // 60
    sign = "-" if local.tm_gmtoff < 0 else "+"
    zone = f"{sign}{offset // 60:02}:{offset % 60:02}" if offset else "Z"
    return time.strftime("%Y-%m-%dT%H:%M:%S", local) + f".{rest:09}{zone}"
