import json
from datetime import datetime

from knarr.cli.cli import Cli
from knarr.cli.command import Annotated, Flag, command
from knarr.cli.compose.call import called
from knarr.cli.compose.flags import Common
from knarr.client.calls import system
from knarr.compose import labels


@command("compose events", usage="[SERVICE...]")
def events(
    cli: Cli,
    *services: str,
    common: Common,
    json_: Annotated[bool, Flag("One JSON object a line")] = False,
    since: Annotated[str, Flag("From this moment on")] = "",
    until: Annotated[str, Flag("Up to this moment")] = "",
) -> None:
    """Show what happens to containers of the project, as it happens"""
    from knarr.cli.moments import moment

    with called(cli, common) as call:
        request = system.events(
            since=moment(since) if since else None,
            until=moment(until) if until else None,
            where={"label": [f"{labels.PROJECT}={call.name()}"]},
        )
        for event in call.engines.lines(request):
            attributes = event["Actor"]["Attributes"]
            service = attributes.get(labels.SERVICE, "")
            if event["Type"] != "container" or attributes.get(labels.ONE_OFF) == labels.YES:
                continue
            if services and service not in services:
                continue
            own = {k: v for k, v in attributes.items() if not k.startswith(labels.PREFIX)}
            when = datetime.fromtimestamp(event["timeNano"] / 1e9).astimezone()
            cli.print(_line(event, service, own, when, as_json=json_))
            cli.out.flush()


def _line(
    event: dict[str, object], service: str, own: dict[str, str], when: datetime, *, as_json: bool
) -> str:
    identifier = event.get("id") or ""
    if as_json:
        shown = {
            "action": event["Action"],
            "attributes": own,
            "id": identifier,
            "service": service,
            "time": when.isoformat(),
            "type": "container",
        }
        return json.dumps(shown, separators=(",", ":"))
    told = ", ".join(f"{name}={value}" for name, value in sorted(own.items()))
    stamp = when.strftime("%Y-%m-%d %H:%M:%S.%f")
    return f"{stamp} container {event['Action']} {identifier} ({told})"
