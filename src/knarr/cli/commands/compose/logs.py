import threading

from knarr.cli.cli import Cli
from knarr.cli.command import Annotated, Flag, command
from knarr.cli.compose.call import Call, called
from knarr.cli.compose.choosing import container_of
from knarr.cli.compose.flags import Common
from knarr.cli.compose.logs import Follower, LogPrinter, copy_logs, short_name
from knarr.client.calls import system
from knarr.compose import labels
from knarr.compose.observed import is_one_off, service_of
from knarr.compose.observing import containers_of
from knarr.spec.docker.container import ContainerSummary


@command("compose logs", usage="[SERVICE...]")
def logs(
    cli: Cli,
    *services: str,
    common: Common,
    follow: Annotated[bool, Flag("Go on as more is written", short="-f")] = False,
    index: Annotated[int, Flag("Number of the container, where there are several")] = 0,
    no_color: Annotated[bool, Flag("No colours")] = False,
    no_log_prefix: Annotated[bool, Flag("No names before lines")] = False,
    since: Annotated[str, Flag("From this moment on ('2013-01-02T13:23:37Z', or '42m' ago)")] = "",
    tail: Annotated[str, Flag("Lines at the end of each container", short="-n")] = "all",
    timestamps: Annotated[bool, Flag("Show when each line was written", short="-t")] = False,
    until: Annotated[str, Flag("Up to this moment")] = "",
) -> None:
    """Show what containers wrote"""
    from knarr.cli.moments import moment

    printer = LogPrinter(
        cli.out,
        colour=not no_color and cli.out.isatty(),
        prefix=not no_log_prefix,
    )
    with called(cli, common) as call:
        found = _found(call, services, index)
        name = call.name()
        begin, end = moment(since) if since else "", moment(until) if until else ""
        names = {each.id: short_name(each, name, call.separator) for each in found}
        printer.register(names.values())
        if follow:
            _follow(call, name, services, printer, names, begin, tail)
            return
        threads = [
            threading.Thread(
                target=_copy, args=(call, printer, each.id, names[each.id]), daemon=True,
                kwargs={"since": begin, "until": end, "tail": tail, "timestamps": timestamps},
            )
            for each in found
        ]  # fmt: skip
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()


def _found(call: Call, services: tuple[str, ...], index: int) -> list[ContainerSummary]:
    if index and services:
        return [container_of(call, services[0], index, running=False)]
    project = call.project_or_none(services)
    wanted = set(services) or (set(project.services) if project else set())
    return [
        each
        for each in containers_of(call.engines, call.name())
        if not is_one_off(each) and (not wanted or service_of(each) in wanted)
    ]


def _copy(
    call: Call,
    printer: LogPrinter,
    identifier: str,
    name: str,
    *,
    since: str,
    until: str,
    tail: str,
    timestamps: bool,
) -> None:
    copy_logs(
        call, identifier, lambda data: printer.feed(name, data),
        since=since, until=until, tail=tail, timestamps=timestamps,
    )  # fmt: skip
    printer.end(name)


def _follow(
    call: Call,
    project: str,
    services: tuple[str, ...],
    printer: LogPrinter,
    names: dict[str, str],
    since: str,
    tail: str,
) -> None:
    """Those that are there, and those that start later, until somebody interrupts."""
    follower = Follower(call, printer)
    where = {
        "label": [f"{labels.PROJECT}={project}"],
        "type": ["container"],
        "event": ["start"],
    }
    stream = call.engines.lines(system.events(where=where))
    for identifier, name in names.items():
        follower.follow(identifier, name, since=since, tail=tail)
    for event in stream:
        attributes = event["Actor"]["Attributes"]
        service = attributes.get(labels.SERVICE, "")
        if attributes.get(labels.ONE_OFF) == labels.YES or (services and service not in services):
            continue
        name = attributes.get("name", "").removeprefix(project + call.separator)
        follower.follow(event["Actor"]["ID"], name, since=str(event.get("time", "")))
