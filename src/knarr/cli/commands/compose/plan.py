import json

from knarr.cli.cli import Cli
from knarr.cli.command import Annotated, Flag, command
from knarr.cli.compose.bringing_up import check_flags, image_options, plan_for, up_options
from knarr.cli.compose.call import called
from knarr.cli.compose.flags import Common, CreateFlags
from knarr.compose.images import plan_images
from knarr.compose.telling import describe, tell
from knarr.errors import InvalidArgument

CHANGES = 2  # the exit code when there is something to do


@command(
    "compose plan",
    usage="[SERVICE...]",
    note="Ends with 0 when there is nothing to do and with 2 when there is.",
)
def plan(
    cli: Cli,
    *services: str,
    common: Common,
    flags: CreateFlags,
    format_: Annotated[str, Flag('Form of the output ("text"|"json")')] = "text",
) -> int:
    """Show what up would change, and why"""
    check_flags(flags)
    if format_ not in ("text", "json"):
        raise InvalidArgument(f'unsupported format "{format_}"')
    with called(cli, common) as call:
        project = call.project(services, scale=flags.scale)
        observed = call.observe(project)
        images = plan_images(project, observed, image_options(call, flags))
        options = up_options(call, flags, services, roll=True)
        containers = plan_for(call, project, observed, options)
        for warning in (*images.warnings, *containers.warnings):
            call.warn(warning)
        work = [*images.work, *containers.work]
        if format_ == "json":
            document = {
                "project": project.name,
                "changes": [describe(action) for action in work],
                "unchanged": [container for _, container in containers.kept],
            }
            cli.print(json.dumps(document, indent=2))
        else:
            cli.out.write(tell(project.name, work, containers.kept))
        return CHANGES if work else 0
