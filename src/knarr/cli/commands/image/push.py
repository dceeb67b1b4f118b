from knarr.cli.cli import Cli
from knarr.cli.command import Annotated, Flag, command
from knarr.cli.create.platforms import platform_of
from knarr.cli.credentials import header_for
from knarr.cli.progress import show_progress
from knarr.client.calls import images
from knarr.errors import InvalidArgument
from knarr.reference import Reference


@command("image push", usage="NAME[:TAG]")
def push(
    cli: Cli,
    name: str,
    *,
    all_tags: Annotated[bool, Flag("Send every tag of the repository", short="-a")] = False,
    disable_content_trust: Annotated[bool, Flag("No effect", hidden=True)] = True,  # noqa: ARG001
    platform: Annotated[
        str, Flag("Send only this variant (os[/arch[/variant]])", since="1.46")
    ] = "",
    quiet: Annotated[bool, Flag("Do not show the progress", short="-q")] = False,
) -> None:
    """Send an image to a registry"""
    wanted = platform_of(platform, said=f"Invalid platform {platform}")
    reference = Reference.parse(name)
    if all_tags and reference.tag:
        raise InvalidArgument("tag can't be used with --all-tags/-a")
    if not all_tags and not reference.tag and not reference.digest:
        reference = reference.tagged()
        if not quiet:
            cli.print("Using default tag: latest")
    request = images.push(
        reference.familiar_name,
        tag=str(reference.digest or reference.tag),
        platform=wanted,
        auth=header_for(cli, reference.domain),
    )
    show_progress(cli.engine.lines(request), None if quiet else cli.out)
    if quiet:
        cli.print(str(reference))
