from knarr.cli.cli import Cli
from knarr.cli.columns.volume import volume_listing
from knarr.cli.command import Annotated, Flag, command
from knarr.cli.compose.call import called
from knarr.cli.compose.flags import Common
from knarr.cli.flags import FORMAT_HELP
from knarr.client.calls import volumes as calls
from knarr.compose import labels
from knarr.compose.observed import service_of
from knarr.compose.observing import containers_of
from knarr.errors import NotFound


@command("compose volumes", usage="[SERVICE...]")
def volumes(
    cli: Cli,
    *services: str,
    common: Common,
    format_: Annotated[str, Flag(FORMAT_HELP, shown='"table"')] = "",
    quiet: Annotated[bool, Flag("Print names only", short="-q")] = False,
) -> None:
    """List the volumes of the project"""
    with called(cli, common) as call:
        project = call.project_or_none()
        for name in services:
            if project is not None and name not in project.services:
                raise NotFound(f"no such service: {name}")
        name = call.name()
        request = calls.list_(where={"label": [f"{labels.PROJECT}={name}"]})
        found = call.engines.engine.ask(request).get("Volumes") or []
        if services:
            used = {
                mount.name
                for container in containers_of(call.engines, name)
                if service_of(container) in services
                for mount in container.mounts
            }
            found = [each for each in found if each["Name"] in used]
    rows = sorted(found, key=lambda volume: str(volume["Name"]))
    volume_listing().show(cli, rows, form=format_, only="Name" if quiet else "")
