from knarr.cli.cli import Cli
from knarr.cli.command import command
from knarr.cli.compose.call import called
from knarr.cli.compose.flags import Common
from knarr.compose import lifecycle


@command("compose unpause", usage="[SERVICE...]")
def unpause(cli: Cli, *services: str, common: Common) -> None:
    """Let frozen services go on"""
    with called(cli, common) as call:
        project, observed = call.seen()
        found = lifecycle.selected(project, observed, services)
        paused = [each for each in found if each.state == "paused"]
        plan = lifecycle.plan_each(project, paused, lifecycle.unpause)
        call.carry_out(plan, project, observed)
