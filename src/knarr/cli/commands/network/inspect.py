from knarr.cli.cli import Cli
from knarr.cli.command import Annotated, Flag, command
from knarr.cli.flags import INSPECT_FORMAT_HELP
from knarr.cli.inspecting import inspect as show
from knarr.client.calls import networks


@command("network inspect", usage="NETWORK [NETWORK...]")
def inspect(
    cli: Cli,
    network: str,
    *more: str,
    format_: Annotated[str, Flag(INSPECT_FORMAT_HELP, short="-f")] = "",
    verbose: Annotated[bool, Flag("Include what helps in a search for faults", short="-v")] = False,
) -> None:
    """Show all about one or more networks"""
    show(
        cli,
        (network, *more),
        lambda ref: cli.engine.read(networks.inspect(ref, verbose=verbose)),
        format_,
    )
