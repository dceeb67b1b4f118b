from knarr.cli.cli import Cli
from knarr.cli.command import command
from knarr.cli.compose.bringing_up import (
    check_flags,
    ensure_images,
    image_options,
    plan_for,
    up_options,
)
from knarr.cli.compose.call import called
from knarr.cli.compose.flags import Common, CreateFlags
from knarr.cli.compose.providing import prepared


@command("compose create", usage="[SERVICE...]")
def create(cli: Cli, *services: str, common: Common, flags: CreateFlags) -> None:
    """Create containers and do not start them"""
    check_flags(flags)
    with called(cli, common) as call:
        project = call.project(services, scale=flags.scale)
        images = image_options(call, flags)
        project = prepared(call, project)
        observed = ensure_images(call, project, images, quiet=flags.quiet_pull)
        options = up_options(call, flags, services, start=False)
        plan = plan_for(call, project, observed, options)
        call.carry_out(plan, project, observed)
