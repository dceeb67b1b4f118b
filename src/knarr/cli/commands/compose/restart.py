from knarr.cli.cli import Cli
from knarr.cli.command import Annotated, Flag, command
from knarr.cli.compose.call import called, positive_timeout
from knarr.cli.compose.flags import Common
from knarr.compose.lifecycle import plan_restart


@command("compose restart", usage="[SERVICE...]")
def restart(
    cli: Cli,
    *services: str,
    common: Common,
    no_deps: Annotated[bool, Flag("Leave services alone that depend on these")] = False,
    timeout: Annotated[int, Flag("Seconds that a container has to stop", short="-t")] = 0,
) -> None:
    """Restart services"""
    with called(cli, common) as call:
        project, observed = call.seen()
        plan = plan_restart(
            project, observed, services,
            timeout=positive_timeout(cli, timeout), dependents=not no_deps,
        )  # fmt: skip
        call.carry_out(plan, project, observed)
