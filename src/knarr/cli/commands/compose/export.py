from knarr.cli.cli import Cli
from knarr.cli.command import Annotated, Flag, command
from knarr.cli.commands.container.export import export as export_container
from knarr.cli.compose.call import called
from knarr.cli.compose.choosing import container_of
from knarr.cli.compose.flags import Common
from knarr.compose.observed import name_of


@command("compose export", usage="SERVICE")
def export(
    cli: Cli,
    service: str,
    *,
    common: Common,
    index: Annotated[int, Flag("Number of the container, where there are several")] = 0,
    output: Annotated[str, Flag("File to write, in place of standard output", short="-o")] = "",
) -> None:
    """Write a service container's file system as a tar archive"""
    with called(cli, common) as call:
        target = container_of(call, service, index, running=False)
        if call.only_tells(f"Container {name_of(target)}", "Exporting", "Exported"):
            return
    export_container(cli, target.id, output=output)
