from knarr.cli.cli import Cli
from knarr.cli.command import Annotated, Flag, Kind, command
from knarr.cli.create.options import LABEL
from knarr.cli.create.plan import key_values
from knarr.client.calls import volumes


@command("volume create", since="1.21")
def create(
    cli: Cli,
    volume: str = "",
    *,
    driver: Annotated[str, Flag("Driver of the volume", short="-d")] = "local",
    label: Annotated[tuple[str, ...], Flag("Label the volume", kind=LABEL)] = (),
    opt: Annotated[
        tuple[str, ...], Flag("Option of the driver", short="-o", kind=Kind("map", str))
    ] = (),
) -> None:
    """Create a volume"""
    body = {
        "Name": volume,
        "Driver": driver,
        "DriverOpts": key_values(opt),
        "Labels": key_values(label),
    }
    cli.print(cli.engine.ask(volumes.create(body))["Name"])
