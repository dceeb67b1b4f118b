from knarr.cli.cli import Cli
from knarr.cli.command import Annotated, Flag, command
from knarr.cli.compose.call import called
from knarr.cli.compose.flags import Common
from knarr.compose import lifecycle
from knarr.compose.observed import service_of


@command("compose kill", usage="[SERVICE...]")
def kill(
    cli: Cli,
    *services: str,
    common: Common,
    remove_orphans: Annotated[bool, Flag("Kill containers of services that are gone")] = False,
    signal: Annotated[str, Flag("Signal to send", short="-s")] = "SIGKILL",
) -> None:
    """Send a signal to services"""
    with called(cli, common) as call:
        project, observed = call.seen()
        for name in services:
            project.service(name)
        found = [
            each
            for each in observed.containers
            if each.state == "running"
            and (not services or service_of(each) in services)
            and (remove_orphans or service_of(each) in project.all_services)
        ]
        if not found:
            cli.warn("no container to kill")
            return
        call.carry_out(
            lifecycle.plan_each(project, found, lifecycle.kill(signal)), project, observed
        )
