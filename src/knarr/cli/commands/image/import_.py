from knarr.cli.cli import Cli
from knarr.cli.command import Annotated, Flag, command
from knarr.cli.progress import show_progress
from knarr.cli.sources import file_pieces
from knarr.client.calls import images
from knarr.errors import InvalidArgument


@command("image import", usage="file|URL|- [REPOSITORY[:TAG]]")
def import_(
    cli: Cli,
    source: str,
    *repository: str,
    change: Annotated[
        tuple[str, ...], Flag("Apply a Dockerfile instruction to the image", short="-c")
    ] = (),
    message: Annotated[str, Flag("Message kept in the image's history", short="-m")] = "",
    platform: Annotated[str, Flag("Platform of the image", since="1.32")] = "",
) -> None:
    """Make an image of one layer from a tar of a file system"""
    if len(repository) > 1:
        raise InvalidArgument(f"an image gets one name: {' '.join(repository)}")
    is_url = source.startswith(("http://", "https://", "git://", "github.com/"))
    request = images.import_(
        None if is_url else file_pieces(source),
        source=source if is_url else "-",
        repo=repository[0] if repository else "", message=message, changes=change,
        platform=platform or cli.environ.get("DOCKER_DEFAULT_PLATFORM", ""),
    )  # fmt: skip
    show_progress(cli.engine.lines(request), cli.out)
