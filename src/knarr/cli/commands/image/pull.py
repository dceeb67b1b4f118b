from knarr.cli.cli import Cli
from knarr.cli.command import Annotated, Flag, command
from knarr.cli.pull import pull as fetch
from knarr.errors import InvalidArgument
from knarr.reference import Reference


@command("image pull", usage="NAME[:TAG|@DIGEST]")
def pull(
    cli: Cli,
    name: str,
    *,
    all_tags: Annotated[bool, Flag("Fetch every tag of the repository", short="-a")] = False,
    disable_content_trust: Annotated[bool, Flag("No effect", hidden=True)] = True,  # noqa: ARG001
    platform: Annotated[str, Flag("Platform, where the image has several", since="1.32")] = "",
    quiet: Annotated[bool, Flag("Do not show the progress", short="-q")] = False,
) -> None:
    """Fetch an image from a registry"""
    reference = Reference.parse(name)
    if all_tags and (reference.tag or reference.digest):
        raise InvalidArgument("tag can't be used with --all-tags/-a")
    if not all_tags and not reference.tag and not reference.digest and not quiet:
        cli.print("Using default tag: latest")
    platform = platform or cli.environ.get("DOCKER_DEFAULT_PLATFORM", "")
    fetched = fetch(cli, name, out=cli.out, platform=platform, quiet=quiet, all_tags=all_tags)
    cli.print(str(fetched))
