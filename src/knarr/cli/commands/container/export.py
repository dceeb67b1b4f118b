from knarr.cli.cli import Cli
from knarr.cli.command import Annotated, Flag, command
from knarr.cli.output import check_output, write_archive
from knarr.client.calls import containers


@command("container export")
def export(
    cli: Cli,
    container: str,
    *,
    output: Annotated[str, Flag("File to write, in place of standard output", short="-o")] = "",
) -> None:
    """Write a container's file system as a tar archive"""
    check_output(output, "failed to export container")
    write_archive(cli, cli.engine.pieces(containers.export(container)), output)
