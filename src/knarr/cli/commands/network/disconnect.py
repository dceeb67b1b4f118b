from knarr.cli.cli import Cli
from knarr.cli.command import Annotated, Flag, command
from knarr.client.calls import networks


@command("network disconnect", since="1.21")
def disconnect(
    cli: Cli,
    network: str,
    container: str,
    *,
    force: Annotated[bool, Flag("Also where the container is gone", short="-f")] = False,
) -> None:
    """Take a container off a network"""
    cli.engine.ask(networks.disconnect(network, container, force=force))
