from knarr.cli.cli import Cli
from knarr.cli.command import Annotated, Flag, command
from knarr.cli.commands.container.cp import cp as copy
from knarr.cli.compose.call import Call, called
from knarr.cli.compose.choosing import container_of
from knarr.cli.compose.flags import Common
from knarr.cli.copying.plan import Place
from knarr.compose.observed import is_one_off, name_of, number_of, service_of
from knarr.compose.observing import containers_of
from knarr.compose.report import Progress, State
from knarr.errors import InvalidArgument, NotFound
from knarr.spec.docker.container import ContainerSummary


@command("compose cp", usage="SERVICE:SRC_PATH DEST_PATH|-\nSRC_PATH|- SERVICE:DEST_PATH")
def cp(
    cli: Cli,
    source: str,
    destination: str,
    *,
    common: Common,
    all_: Annotated[bool, Flag("Containers of run as well")] = False,
    archive: Annotated[bool, Flag("Keep user and group of each file", short="-a")] = False,
    follow_link: Annotated[
        bool, Flag("Copy what a link at the source points to", short="-L")
    ] = False,
    index: Annotated[int, Flag("Number of the container, where there are several")] = 0,
) -> None:
    """Copy files between containers of a service and here"""
    start, end = Place.parse(source), Place.parse(destination)
    if start.container and end.container:
        raise InvalidArgument("copying between services is not supported")
    if not start.container and not end.container:
        raise InvalidArgument("unknown copy direction")
    with called(cli, common) as call:
        service = start.container or end.container
        found = _containers(call, service, index, one_offs=all_)
        for container in found[:1] if start.container else found:
            name = name_of(container)
            here, there = (
                (f"{container.id}:{start.path}", end.path)
                if start.container
                else (start.path, f"{container.id}:{end.path}")
            )
            subject = f"{name} copy {source} to {destination}".replace(f"{service}:", f"{name}:")
            call.report(Progress(subject=subject, text="Copying"))
            if not call.dry_run:
                copy(cli, here, there, archive=archive, follow_link=follow_link, quiet=True)
            call.report(Progress(subject=subject, text="Copied", state=State.DONE))


def _containers(call: Call, service: str, index: int, *, one_offs: bool) -> list[ContainerSummary]:
    if index:
        return [container_of(call, service, index, running=False, one_offs=False)]
    found = [
        each
        for each in containers_of(call.engines, call.name())
        if service_of(each) == service and (one_offs or not is_one_off(each))
    ]
    if not found:
        raise NotFound(f'no container found for service "{service}"')
    return sorted(found, key=lambda each: (is_one_off(each), number_of(each)))
