from knarr.cli.cli import Cli
from knarr.cli.command import Annotated, Flag, command
from knarr.cli.compose.bringing_up import ensure_images, image_options, plan_for, up_options
from knarr.cli.compose.call import called
from knarr.cli.compose.flags import Common, CreateFlags
from knarr.cli.compose.providing import prepared
from knarr.errors import InvalidArgument


@command("compose scale", usage="[SERVICE=REPLICAS...]")
def scale(
    cli: Cli,
    *scales: str,
    common: Common,
    no_deps: Annotated[bool, Flag("Leave dependencies alone")] = False,
) -> None:
    """Change how many containers services have"""
    services = tuple(_service_of(each) for each in scales)
    flags = CreateFlags()
    with called(cli, common) as call:
        project = call.project(services, dependencies=not no_deps, scale=scales)
        project = prepared(call, project)
        observed = ensure_images(call, project, image_options(call, flags))
        plan = plan_for(call, project, observed, up_options(call, flags, services, roll=True))
        call.carry_out(plan, project, observed)


def _service_of(text: str) -> str:
    service, _, number = text.partition("=")
    if not service or not number:
        raise InvalidArgument(f"invalid scale specifier: {text}")
    if not number.isdecimal():
        raise InvalidArgument(f"invalid scale specifier: can't parse replica value as int: {text}")
    return service
