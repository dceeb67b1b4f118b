from knarr.cli.cli import Cli
from knarr.cli.command import Annotated, Flag, command
from knarr.cli.compose.call import called, positive_timeout
from knarr.cli.compose.flags import Common
from knarr.compose.rolling import plan_rollback


@command(
    "compose rollback",
    usage="[SERVICE...]",
    note="Goes as deploy.rollback_config says. A second rollback brings back what the first one "
    "took away; the files are not changed, so the next up brings back what they say.",
)
def rollback(
    cli: Cli,
    *services: str,
    common: Common,
    timeout: Annotated[int, Flag("Seconds that a container has to stop", short="-t")] = 0,
    wait_timeout: Annotated[int, Flag("Seconds for a new container to be well")] = 0,
) -> None:
    """Bring back what services were before their last rollout"""
    with called(cli, common) as call:
        project = call.project(services)
        observed = call.observe(project)
        plan = plan_rollback(project, observed, services, positive_timeout(cli, timeout))
        limit = float(wait_timeout) if wait_timeout else None
        call.carry_out(plan, project, observed, wait_timeout=limit)
