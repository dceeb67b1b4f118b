from knarr.cli.cli import Cli
from knarr.cli.command import Annotated, Flag, command
from knarr.cli.progress import show_progress
from knarr.client.calls import images


@command("image bootstrap", usage="REPOSITORY[:TAG]")
def bootstrap(
    cli: Cli,
    tag: str,
    *,
    suite: Annotated[str, Flag("Release of the distribution (default: this machine's own)")] = "",
    include: Annotated[
        tuple[str, ...], Flag("Packages to install besides the smallest system, by commas")
    ] = (),
) -> None:
    """Make a base image from the distribution's own signed packages"""
    packages = [name for each in include for name in each.split(",") if name]
    show_progress(cli.engine.lines(images.bootstrap(tag, suite=suite, include=packages)), cli.out)
