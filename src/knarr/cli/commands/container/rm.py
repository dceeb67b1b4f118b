from knarr.cli.cli import Cli
from knarr.cli.command import Annotated, Flag, command
from knarr.cli.each import each
from knarr.client.calls import containers
from knarr.errors import InvalidArgument, NotFound


@command("container rm", usage="CONTAINER [CONTAINER...]")
def rm(
    cli: Cli,
    container: str,
    *more: str,
    force: Annotated[bool, Flag("Kill it first, if it runs", short="-f")] = False,
    link: Annotated[bool, Flag("Remove the link of this name", short="-l")] = False,
    volumes: Annotated[bool, Flag("Remove its anonymous volumes too", short="-v")] = False,
) -> None:
    """Remove one or more containers"""
    names = [name.strip("/") for name in (container, *more)]
    if not all(names):
        raise InvalidArgument("container name cannot be empty")
    each(
        cli,
        names,
        lambda name: containers.remove(name, force=force, link=link, volumes=volumes),
        forgiven=NotFound if force else (),
    )
