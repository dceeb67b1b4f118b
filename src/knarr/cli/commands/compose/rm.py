from knarr.cli.cli import Cli
from knarr.cli.command import Annotated, Flag, command
from knarr.cli.compose.call import called
from knarr.cli.compose.flags import Common
from knarr.compose import lifecycle
from knarr.compose.observed import name_of

_ACTIVE = ("running", "restarting", "paused")


@command("compose rm", usage="[SERVICE...]")
def rm(
    cli: Cli,
    *services: str,
    common: Common,
    all_: Annotated[bool, Flag("Has no effect", short="-a", hidden=True)] = False,  # noqa: ARG001
    force: Annotated[bool, Flag("Do not ask", short="-f")] = False,
    stop: Annotated[bool, Flag("Stop what runs first", short="-s")] = False,
    volumes: Annotated[bool, Flag("Remove their anonymous volumes too", short="-v")] = False,
) -> None:
    """Remove stopped containers of services"""
    with called(cli, common) as call:
        project, observed = call.seen()
        if stop:
            call.carry_out(lifecycle.plan_stop(project, observed, services), project, observed)
        if stop and not call.dry_run:
            observed = call.observe(project)
        found = lifecycle.selected(project, observed, services)
        ended = [each for each in found if stop or each.state not in _ACTIVE]
        if not ended:
            cli.warn("No stopped containers")
            return
        question = f"Going to remove {', '.join(name_of(each) for each in ended)}"
        if force:
            cli.print(question)
        elif not call.ask_whether(question):
            return
        plan = lifecycle.plan_each(project, ended, lifecycle.remove(volumes=volumes))
        call.carry_out(plan, project, observed)
