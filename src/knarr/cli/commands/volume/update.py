from knarr.cli.cli import Cli
from knarr.cli.command import Annotated, Flag, command
from knarr.client.calls import volumes
from knarr.errors import KnarrError


@command("volume update", since="1.42")
def update(
    cli: Cli,
    volume: str,
    *,
    availability: Annotated[str, Flag("Whether swarm may use it")] = "active",
) -> None:
    """Change a volume of a swarm cluster"""
    del availability  # there is no cluster to change it in
    cli.engine.ask(volumes.inspect(volume))
    raise KnarrError("can only update cluster volumes")
