from knarr.cli.cli import Cli
from knarr.cli.command import Annotated, Flag, command
from knarr.cli.commands.container.commit import commit as commit_container
from knarr.cli.compose.call import called
from knarr.cli.compose.choosing import container_of
from knarr.cli.compose.flags import Common
from knarr.compose.observed import name_of


@command("compose commit", usage="SERVICE [REPOSITORY[:TAG]]")
def commit(
    cli: Cli,
    service: str,
    repository: str = "",
    *,
    common: Common,
    author: Annotated[str, Flag("Author of the image", short="-a")] = "",
    change: Annotated[
        tuple[str, ...], Flag("Apply a Dockerfile instruction to the image", short="-c")
    ] = (),
    index: Annotated[int, Flag("Number of the container, where there are several")] = 0,
    message: Annotated[str, Flag("Message kept in the image's history", short="-m")] = "",
    pause: Annotated[bool, Flag("Pause the container meanwhile", short="-p")] = True,
) -> None:
    """Make an image of a service container's present files"""
    with called(cli, common) as call:
        target = container_of(call, service, index, running=False)
        subject = f"Container {name_of(target)}"
        if call.only_tells(subject, "Committing", f"Committed {repository}".rstrip()):
            return
    commit_container(
        cli, target.id, repository, author=author, change=change, message=message, pause=pause
    )
