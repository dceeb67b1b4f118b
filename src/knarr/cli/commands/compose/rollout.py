from knarr.cli.cli import Cli
from knarr.cli.command import Annotated, Flag, command
from knarr.cli.compose.bringing_up import (
    check_flags,
    ensure_images,
    image_options,
    plan_for,
    up_options,
)
from knarr.cli.compose.call import called, positive_timeout
from knarr.cli.compose.flags import Common, CreateFlags
from knarr.cli.compose.providing import prepared


@command(
    "compose rollout",
    usage="[SERVICE...]",
    note="Goes as deploy.update_config says; where it says nothing, the new container is well "
    "before the old one stops, one at a time, and what fails is rolled back.",
)
def rollout(
    cli: Cli,
    *services: str,
    common: Common,
    flags: CreateFlags,
    timeout: Annotated[int, Flag("Seconds that a container has to stop", short="-t")] = 0,
    wait_timeout: Annotated[int, Flag("Seconds for a new container to be well")] = 0,
) -> None:
    """Replace containers a few at a time, without dropping a request"""
    check_flags(flags)
    with called(cli, common) as call:
        project = prepared(call, call.project(services, scale=flags.scale))
        observed = ensure_images(call, project, image_options(call, flags), quiet=flags.quiet_pull)
        options = up_options(
            call, flags, services, roll=True, roll_all=True, timeout=positive_timeout(cli, timeout)
        )
        limit = float(wait_timeout) if wait_timeout else None
        plan = plan_for(call, project, observed, options)
        call.carry_out(plan, project, observed, wait_timeout=limit)
        if plan.empty:
            cli.print("Nothing has changed; --force-recreate rolls it out all the same")
