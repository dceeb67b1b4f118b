from knarr.cli.cli import Cli
from knarr.cli.command import Annotated, Flag, command
from knarr.cli.compose.flags import Common
from knarr.errors import Unsupported


@command("compose publish", usage="REPOSITORY[:TAG]")
def publish(
    cli: Cli,  # noqa: ARG001
    repository: str,  # noqa: ARG001
    *,
    common: Common,  # noqa: ARG001
    app: Annotated[bool, Flag("Publish the images as well")] = False,  # noqa: ARG001
    oci_version: Annotated[str, Flag("Version of the artifact's form")] = "",  # noqa: ARG001
    resolve_image_digests: Annotated[bool, Flag("Pin images")] = False,  # noqa: ARG001
    with_env: Annotated[bool, Flag("Publish variables as well")] = False,  # noqa: ARG001
    yes: Annotated[bool, Flag("Answer every question with yes", short="-y")] = False,  # noqa: ARG001
) -> None:
    """Publish a project as an artifact of a registry (not there yet)"""
    raise Unsupported("compose publish: projects as artifacts of a registry are not there yet")
