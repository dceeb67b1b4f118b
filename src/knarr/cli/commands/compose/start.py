from knarr.cli.cli import Cli
from knarr.cli.command import Annotated, Flag, command
from knarr.cli.compose.call import called
from knarr.cli.compose.flags import Common
from knarr.compose.lifecycle import plan_start


@command("compose start", usage="[SERVICE...]")
def start(
    cli: Cli,
    *services: str,
    common: Common,
    wait: Annotated[bool, Flag("Wait until all run or are healthy")] = False,
    wait_timeout: Annotated[int, Flag("Seconds to wait at most")] = 0,
) -> None:
    """Start services"""
    with called(cli, common) as call:
        project, observed = call.seen(services)
        plan = plan_start(project, observed, services, wait=wait)
        limit = float(wait_timeout) if wait_timeout else None
        call.carry_out(plan, project, observed, wait_timeout=limit)
