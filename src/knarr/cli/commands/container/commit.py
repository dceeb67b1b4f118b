from knarr.cli.cli import Cli
from knarr.cli.command import Annotated, Flag, command
from knarr.client.calls import containers
from knarr.errors import InvalidArgument
from knarr.reference import Reference


@command("container commit", usage="CONTAINER [REPOSITORY[:TAG]]")
def commit(
    cli: Cli,
    container: str,
    repository: str = "",
    *,
    author: Annotated[str, Flag("Author of the image", short="-a")] = "",
    change: Annotated[
        tuple[str, ...], Flag("Apply a Dockerfile instruction to the image", short="-c")
    ] = (),
    message: Annotated[str, Flag("Message kept in the image's history", short="-m")] = "",
    no_pause: Annotated[bool, Flag("Let the container go on meanwhile")] = False,
    pause: Annotated[bool, Flag("Pause the container meanwhile", short="-p", hidden=True)] = True,
) -> None:
    """Make an image of a container's present files"""
    repo = tag = ""
    if repository:
        reference = Reference.parse(repository)
        if reference.digest:
            raise InvalidArgument("refusing to create a tag with a digest reference")
        repo, tag = reference.familiar_name, reference.tagged().tag
    request = containers.commit(
        container, repo=repo, tag=tag, comment=message, author=author,
        pause=pause and not no_pause, changes=change,
    )  # fmt: skip
    cli.print(cli.engine.ask(request)["Id"])
