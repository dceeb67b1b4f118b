from knarr.cli.cli import Cli
from knarr.cli.columns.project import Row, project_listing
from knarr.cli.command import Annotated, Flag, command
from knarr.cli.compose.call import Call, called
from knarr.cli.compose.flags import Common
from knarr.cli.flags import FILTER, FORMAT_HELP
from knarr.client.calls import containers
from knarr.compose.observed import is_one_off, name_of, service_of
from knarr.compose.observing import containers_of
from knarr.errors import InvalidArgument, NotFound
from knarr.spec.docker.container import ContainerInspect, ContainerSummary

_ACTIVE = ("running", "restarting", "paused", "removing")


@command("compose ps", usage="[SERVICE...]")
def ps(
    cli: Cli,
    *services: str,
    common: Common,
    all_: Annotated[bool, Flag("Show what does not run and what run made", short="-a")] = False,
    filter_: Annotated[
        tuple[tuple[str, str], ...], Flag("Keep only matching containers (status=)", kind=FILTER)
    ] = (),
    format_: Annotated[str, Flag(FORMAT_HELP, shown='"table"')] = "",
    no_trunc: Annotated[bool, Flag("Print whole values")] = False,
    orphans: Annotated[bool, Flag("Include services that are not declared")] = True,
    quiet: Annotated[bool, Flag("Print IDs only", short="-q")] = False,
    services_: Annotated[bool, Flag("Print names of services only")] = False,
    status: Annotated[tuple[str, ...], Flag("Keep only these states")] = (),
) -> None:
    """List containers"""
    states = set(status)
    for name, value in filter_:
        if name != "status":
            raise InvalidArgument(f"unknown filter {name}")
        states.add(value)
    with called(cli, common) as call:
        project = call.project_or_none(services)
        wanted = set(services)
        if project is not None:
            for name in services:
                if name not in project.services:
                    raise NotFound(f"no such service: {name}")
            if not wanted and not orphans:
                wanted = set(project.services)
        everything = all_ or bool(states)
        found = [
            each
            for each in containers_of(call.engines, project.name if project else call.name())
            if (not wanted or service_of(each) in wanted)
            and (everything or each.state in _ACTIVE)
            and (everything or not is_one_off(each))
            and (not states or each.state in states)
        ]
        found.sort(key=name_of)
        if services_:
            names = dict.fromkeys(service_of(each) for each in found)
            cli.print("\n".join(names))
        elif quiet:
            cli.out.write("".join(f"{each.id}\n" for each in found))
        else:
            form = format_ or cli.config.text("psFormat")
            rows = [_row(call, each, detailed=_needs_details(form)) for each in found]
            project_listing(whole=no_trunc).show(cli, rows, form=form)


def _needs_details(form: str) -> bool:
    return form not in ("", "table")


def _row(call: Call, container: ContainerSummary, *, detailed: bool) -> Row:
    """With exit code and health where something but the table is printed."""
    found = None
    if detailed:
        found = call.engines.ask_for(containers.inspect(container.id), ContainerInspect)
    if found is None or found.state is None:
        return Row(container=container)
    health = found.state.health
    return Row(
        container=container,
        exit_code=found.state.exit_code if found.state.status in ("exited", "dead") else 0,
        health=health.status if health and found.state.status == "running" else "",
    )
