from knarr.cli.cli import Cli
from knarr.cli.command import command
from knarr.cli.exit import Exit, text_of
from knarr.cli.running import exit_code
from knarr.client.calls import containers
from knarr.errors import KnarrError


@command("container wait", usage="CONTAINER [CONTAINER...]")
def wait(cli: Cli, container: str, *more: str) -> None:
    """Wait until one or more containers end, and print their exit codes"""
    failures = []
    for name in (container, *more):
        try:
            cli.print(str(exit_code(cli.engine.open(containers.wait(name)))))
        except KnarrError as error:
            failures.append(text_of(error))
    if failures:
        raise Exit(1, "\n".join(failures))
