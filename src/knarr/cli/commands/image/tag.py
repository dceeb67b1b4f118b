from knarr.cli.cli import Cli
from knarr.cli.command import command
from knarr.client.calls import images
from knarr.errors import InvalidArgument
from knarr.reference import Reference


@command("image tag", usage="SOURCE_IMAGE[:TAG] TARGET_IMAGE[:TAG]")
def tag(cli: Cli, source: str, target: str) -> None:
    """Give an image one more name"""
    try:
        name = Reference.parse(target)
    except InvalidArgument as error:
        raise InvalidArgument(
            f'Error parsing reference: "{target}" is not a valid repository/tag: {error}'
        ) from error
    if name.digest:
        raise InvalidArgument("refusing to create a tag with a digest reference")
    cli.engine.ask(images.tag(source, name.familiar_name, tag=name.tagged().tag))
