from collections.abc import Iterator

from knarr.cli.cli import Cli
from knarr.cli.command import Annotated, Flag, command
from knarr.cli.commands.container.prune import containers_pruned
from knarr.cli.commands.image.prune import images_pruned
from knarr.cli.commands.network.prune import networks_pruned
from knarr.cli.commands.volume.prune import volumes_pruned
from knarr.cli.confirm import Pruned, confirmed, show_reclaimed
from knarr.cli.flags import FILTER, wanted
from knarr.cli.reclaimable import lots, told
from knarr.client.calls import networks, system
from knarr.errors import InvalidArgument


@command("system prune", since="1.25")
def prune(
    cli: Cli,
    *,
    all_: Annotated[
        bool, Flag("Remove all images that no container has, not only unnamed ones", short="-a")
    ] = False,
    filter_: Annotated[
        tuple[tuple[str, str], ...],
        Flag("Remove only what matches (label=<key>=<value>)", kind=FILTER, since="1.28"),
    ] = (),
    force: Annotated[bool, Flag("Do not ask first", short="-f")] = False,
    volumes: Annotated[bool, Flag("Remove anonymous volumes too")] = False,
) -> None:
    """Remove what nobody uses"""
    filters = wanted(filter_)
    if volumes and "until" in filters:
        raise InvalidArgument('ERROR: The "until" filter is not supported with "--volumes"')
    has_builder = cli.engine.speaks("1.31")
    if not force:
        warning = _warning(filters, all_=all_, volumes=volumes, has_builder=has_builder)
        found = lots(
            cli.engine.ask(system.data_usage()),
            cli.engine.ask(networks.list_()),
            all_=all_,
            volumes=volumes,
        )
        warning += told(found, filtered=bool(filters))
        if not confirmed(cli, f"{warning}\nAre you sure you want to continue?"):
            return
    space = 0
    for pruned in _pruned(cli, filters, all_=all_, volumes=volumes, has_builder=has_builder):
        cli.out.write(pruned.text)
        cli.out.flush()
        space += pruned.size_bytes
    show_reclaimed(cli, space)


def _pruned(
    cli: Cli, filters: dict[str, list[str]], *, all_: bool, volumes: bool, has_builder: bool
) -> Iterator[Pruned]:
    yield containers_pruned(cli, dict(filters))
    yield networks_pruned(cli, dict(filters))
    if volumes:
        yield volumes_pruned(cli, dict(filters))
    yield images_pruned(cli, dict(filters), all_=all_)
    if has_builder and not any(name.startswith("label") for name in filters):
        told = cli.engine.ask(system.prune_build_cache(all_=all_, where=filters))
        lines = told.get("CachesDeleted") or ()
        yield Pruned("build cache objects", lines, told.get("SpaceReclaimed", 0))


def _warning(filters: dict[str, list[str]], *, all_: bool, volumes: bool, has_builder: bool) -> str:
    lines = ["all stopped containers", "all networks not used by at least one container"]
    if volumes:
        lines.append("all anonymous volumes not used by at least one container")
    lines.append(
        "all images without at least one container associated to them"
        if all_
        else "all dangling images"
    )
    if has_builder:
        lines.append("all build cache" if all_ else "unused build cache")
    text = "WARNING! This will remove:\n" + "".join(f"  - {line}\n" for line in lines)
    if filters:
        text += "\n  Items to be pruned will be filtered with:\n"
        text += "".join(
            f"  - {name}={value}\n" for name, values in sorted(filters.items()) for value in values
        )
    return text
