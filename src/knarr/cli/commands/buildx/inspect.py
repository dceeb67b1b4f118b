from knarr.cli.builders import Builder
from knarr.cli.cli import Cli
from knarr.cli.command import Annotated, Flag, command


@command("buildx inspect")
def inspect(
    cli: Cli,
    name: str = "",
    *,
    builder: Annotated[str, Flag("Builder to show")] = "",
    bootstrap: Annotated[bool, Flag("Start it first (it always runs)")] = False,  # noqa: ARG001
) -> None:
    """Show the builder: knarr's engine is the only one"""
    cli.out.write(Builder.of(cli, name or builder).text())
