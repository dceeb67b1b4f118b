from functools import partial

from knarr.cli.cli import Cli
from knarr.cli.command import Annotated, Flag, command
from knarr.cli.compose.call import called, positive_timeout
from knarr.cli.compose.flags import Common
from knarr.compose.discovery import is_true
from knarr.compose.plan_down import DownOptions, plan_down


@command("compose down", usage="[SERVICES]")
def down(
    cli: Cli,
    *services: str,
    common: Common,
    remove_orphans: Annotated[bool, Flag("Remove containers of services that are gone")] = False,
    rmi: Annotated[str, Flag('Remove images too ("local"|"all")')] = "",
    timeout: Annotated[int, Flag("Seconds that a container has to stop", short="-t")] = 0,
    volumes: Annotated[
        bool, Flag("Remove the project's volumes, named and anonymous", short="-v")
    ] = False,
) -> None:
    """Stop and remove containers and networks"""
    with called(cli, common) as call:
        look = partial(call.observe_to_leave, volumes=volumes, images=bool(rmi))
        project, observed = call.seen(look=look)
        options = DownOptions(
            services=services,
            volumes=volumes,
            images=rmi,
            remove_orphans=remove_orphans or is_true(call.setting("COMPOSE_REMOVE_ORPHANS")),
            timeout=positive_timeout(cli, timeout),
            separator=call.separator,
        )
        call.carry_out(plan_down(project, observed, options), project, observed)
