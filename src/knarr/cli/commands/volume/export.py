from knarr.cli.cli import Cli
from knarr.cli.command import Annotated, Flag, command
from knarr.cli.output import check_output, write_archive
from knarr.client.calls import volumes


@command("volume export")
def export(
    cli: Cli,
    volume: str,
    *,
    output: Annotated[str, Flag("File to write, in place of standard output", short="-o")] = "",
) -> None:
    """Write a volume's data as a tar archive"""
    check_output(output, "failed to export volume")
    write_archive(cli, cli.engine.pieces(volumes.export(volume)), output)
