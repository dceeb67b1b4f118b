from knarr.cli.cli import Cli
from knarr.cli.command import Annotated, Flag, command
from knarr.cli.compose.call import called, positive_timeout
from knarr.cli.compose.flags import Common
from knarr.compose.lifecycle import plan_stop


@command("compose stop", usage="[SERVICE...]")
def stop(
    cli: Cli,
    *services: str,
    common: Common,
    timeout: Annotated[int, Flag("Seconds that a container has to stop", short="-t")] = 0,
) -> None:
    """Stop services"""
    with called(cli, common) as call:
        project, observed = call.seen()
        plan = plan_stop(project, observed, services, positive_timeout(cli, timeout))
        call.carry_out(plan, project, observed)
