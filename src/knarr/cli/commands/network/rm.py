from knarr.cli.cli import Cli
from knarr.cli.command import Annotated, Flag, command
from knarr.cli.exit import Exit, text_of
from knarr.client.calls import networks
from knarr.errors import KnarrError, NotFound


@command("network rm", usage="NETWORK [NETWORK...]")
def rm(
    cli: Cli,
    network: str,
    *more: str,
    force: Annotated[bool, Flag("No error where there is no such network", short="-f")] = False,
) -> None:
    """Remove one or more networks"""
    failed = False
    for name in (network, *more):
        try:
            cli.engine.ask(networks.remove(name))
        except KnarrError as error:
            if force and isinstance(error, NotFound):
                continue
            cli.warn(text_of(error))
            failed = True
        else:
            cli.print(name)
    if failed:
        raise Exit(1, "exit status 1")
