from knarr.cli.cli import Cli
from knarr.cli.command import Annotated, Flag, command
from knarr.cli.commands.container.stats import stats as container_stats
from knarr.cli.compose.call import called
from knarr.cli.compose.flags import Common
from knarr.cli.flags import FORMAT_HELP
from knarr.compose.observed import name_of, service_of
from knarr.compose.observing import containers_of


@command("compose stats", usage="[SERVICE]")
def stats(
    cli: Cli,
    service: str = "",
    *,
    common: Common,
    all_: Annotated[bool, Flag("Include containers that do not run", short="-a")] = False,
    format_: Annotated[str, Flag(FORMAT_HELP)] = "",
    no_stream: Annotated[bool, Flag("Show one picture and end")] = False,
    no_trunc: Annotated[bool, Flag("Print whole values")] = False,
) -> None:
    """Show how much services use of the machine, live"""
    with called(cli, common) as call:
        found = [
            each
            for each in containers_of(call.engines, call.name())
            if (not service or service_of(each) == service) and (all_ or each.state == "running")
        ]
    names = sorted(name_of(each) for each in found)
    if names:
        container_stats(cli, *names, format_=format_, no_stream=no_stream, no_trunc=no_trunc)
