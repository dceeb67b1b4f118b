from knarr.cli.cli import Cli
from knarr.cli.command import Annotated, Flag, command
from knarr.cli.each import each
from knarr.client.calls import containers


@command("container stop", usage="CONTAINER [CONTAINER...]")
def stop(
    cli: Cli,
    container: str,
    *more: str,
    signal: Annotated[str, Flag("Signal to send first", short="-s")] = "",
    timeout: Annotated[
        int | None,
        Flag("Seconds to wait before the container is killed", short="-t", deprecated=("time",)),
    ] = None,
) -> None:
    """Stop one or more running containers"""
    each(
        cli,
        (container, *more),
        lambda name: containers.stop(name, timeout=timeout, signal=signal),
    )
