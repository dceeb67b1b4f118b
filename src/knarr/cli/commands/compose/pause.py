from knarr.cli.cli import Cli
from knarr.cli.command import command
from knarr.cli.compose.call import called
from knarr.cli.compose.flags import Common
from knarr.compose import lifecycle


@command("compose pause", usage="[SERVICE...]")
def pause(cli: Cli, *services: str, common: Common) -> None:
    """Freeze services"""
    with called(cli, common) as call:
        project, observed = call.seen()
        found = lifecycle.selected(project, observed, services)
        running = [each for each in found if each.state == "running"]
        plan = lifecycle.plan_each(project, running, lifecycle.pause)
        call.carry_out(plan, project, observed)
