from knarr.cli.cli import Cli
from knarr.cli.command import Annotated, Flag, command
from knarr.cli.commands.container.attach import attach as attach_to
from knarr.cli.compose.call import called
from knarr.cli.compose.choosing import container_of
from knarr.cli.compose.flags import Common


@command("compose attach", usage="SERVICE")
def attach(
    cli: Cli,
    service: str,
    *,
    common: Common,
    detach_keys: Annotated[str, Flag("Keys that detach from the container")] = "",
    index: Annotated[int, Flag("Number of the container, where there are several")] = 0,
    no_stdin: Annotated[bool, Flag("Do not send our input")] = False,
    sig_proxy: Annotated[bool, Flag("Pass signals on to the process")] = True,
) -> int:
    """Put a service's output here, and our input there"""
    with called(cli, common) as call:
        target = container_of(call, service, index)
    return attach_to(
        cli, target.id, detach_keys=detach_keys, no_stdin=no_stdin, sig_proxy=sig_proxy
    )
