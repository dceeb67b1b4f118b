from collections.abc import Callable

from knarr.cli.cli import Cli
from knarr.cli.command import Annotated, Flag, command
from knarr.cli.flags import INSPECT_FORMAT_HELP
from knarr.cli.inspecting import inspect as show
from knarr.client.calls import containers, images, networks, volumes
from knarr.errors import InvalidArgument, NotFound

KINDS = (
    "config", "container", "image", "network", "node", "plugin", "secret", "service", "task",
    "volume",
)  # fmt: skip


@command("inspect", usage="NAME|ID [NAME|ID...]")
def inspect(
    cli: Cli,
    name: str,
    *more: str,
    format_: Annotated[str, Flag(INSPECT_FORMAT_HELP, short="-f")] = "",
    size: Annotated[bool, Flag("Include the sizes of a container's files", short="-s")] = False,
    type_: Annotated[str, Flag("Look only for this kind of object")] = "",
) -> None:
    """Show all about objects of any kind"""
    if "type_" in cli.given and type_ not in KINDS:
        known = ", ".join(f'"{kind}"' for kind in KINDS)
        raise InvalidArgument(f'unknown type: "{type_}": must be one of {known}')
    sources: dict[str, Callable[[str], bytes]] = {
        "container": lambda ref: cli.engine.read(containers.inspect(ref, size=size)),
        "image": lambda ref: cli.engine.read(images.inspect(ref)),
        "network": lambda ref: cli.engine.read(networks.inspect(ref)),
        "volume": lambda ref: cli.engine.read(volumes.inspect(ref)),
    }
    if size and type_ not in ("", "container"):
        cli.warn(f"WARNING: --size ignored for {type_}s")
    if type_:
        if type_ not in sources:
            raise NotFound(f"knarr has no objects of type {type_}")
        show(cli, (name, *more), sources[type_], format_)
    else:
        show(cli, (name, *more), lambda ref: _anything(ref, sources), format_)


def _anything(ref: str, sources: dict[str, Callable[[str], bytes]]) -> bytes:
    for fetch in sources.values():
        try:
            return fetch(ref)
        except NotFound:
            continue
    raise NotFound(f"Error: No such object: {ref}")
