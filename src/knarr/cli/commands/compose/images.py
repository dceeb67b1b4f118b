import json
from typing import Any

from knarr.cli.cli import Cli
from knarr.cli.command import Annotated, Flag, command
from knarr.cli.compose.call import called
from knarr.cli.compose.flags import Common
from knarr.cli.table import aligned
from knarr.cli.text import ago, short
from knarr.client.calls import images as calls
from knarr.compose.observed import name_of, service_of
from knarr.compose.observing import containers_of
from knarr.errors import InvalidArgument, KnarrError
from knarr.reference import Reference
from knarr.spec.docker.image import ImageInspect
from knarr.times import rfc3339_ns
from knarr.units import human_size

_HEADS = ("CONTAINER", "REPOSITORY", "TAG", "PLATFORM", "IMAGE ID", "SIZE", "CREATED")


@command("compose images", usage="[SERVICE...]")
def images(
    cli: Cli,
    *services: str,
    common: Common,
    format_: Annotated[str, Flag('Form of the output ("table"|"json")')] = "table",
    quiet: Annotated[bool, Flag("Print IDs only", short="-q")] = False,
) -> None:
    """List the images of containers"""
    if format_ not in ("table", "json"):
        raise InvalidArgument(f'format value "{format_}" could not be parsed')
    with called(cli, common) as call:
        rows: list[dict[str, Any]] = []
        for container in containers_of(call.engines, call.name()):
            if services and service_of(container) not in services:
                continue
            found = call.engines.ask_for(calls.inspect(container.image_id), ImageInspect)
            if found is not None:
                rows.append(_row(name_of(container), container.image, found))
    rows.sort(key=lambda row: str(row["ContainerName"]))
    if quiet:
        identifiers = dict.fromkeys(row["ID"].removeprefix("sha256:") for row in rows)
        cli.out.write("".join(f"{each}\n" for each in identifiers))
    elif format_ == "json":
        cli.print(json.dumps(rows, separators=(",", ":")))
    else:
        lines = ["\t".join(_HEADS), *("\t".join(_cells(row)) for row in rows)]
        cli.out.write(aligned(lines, narrowest=20, gap=3))


def _row(container: str, named: str, image: ImageInspect) -> dict[str, Any]:
    try:
        reference = Reference.parse(named).tagged()
        repository, tag = reference.familiar_name, reference.tag
    except KnarrError:
        repository, tag = "", ""
    tagged = image.metadata.last_tag_time if image.metadata else None
    variant = f"/{image.variant}" if image.variant else ""
    return {
        "ID": image.id,
        "ContainerName": container,
        "Repository": repository,
        "Tag": tag,
        "Platform": f"{image.os}/{image.architecture}{variant}",
        "Size": image.size,
        "Created": image.created,
        "LastTagTime": tagged or image.created,
    }


def _cells(row: dict[str, Any]) -> tuple[str, ...]:
    created = ago(rfc3339_ns(row["LastTagTime"]) / 1e9) if row["LastTagTime"] else "N/A"
    return (
        row["ContainerName"],
        row["Repository"] or "<none>",
        row["Tag"] or "<none>",
        row["Platform"],
        short(row["ID"]),
        human_size(row["Size"]),
        created,
    )
