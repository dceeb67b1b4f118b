import json
from collections import Counter

from knarr.cli.cli import Cli
from knarr.cli.command import Annotated, Flag, command
from knarr.cli.compose.call import called
from knarr.cli.compose.flags import Common
from knarr.cli.flags import FILTER
from knarr.cli.table import aligned
from knarr.client.calls import containers
from knarr.compose import labels
from knarr.errors import InvalidArgument
from knarr.patterns import wildcard
from knarr.spec.docker.container import ContainerSummary


@command("compose ls")
def ls(
    cli: Cli,
    *,
    common: Common,
    all_: Annotated[bool, Flag("Show projects of which nothing runs", short="-a")] = False,
    filter_: Annotated[
        tuple[tuple[str, str], ...], Flag("Keep only matching projects (name=)", kind=FILTER)
    ] = (),
    format_: Annotated[str, Flag('Form of the output ("table"|"json")')] = "table",
    quiet: Annotated[bool, Flag("Print names only", short="-q")] = False,
) -> None:
    """List projects"""
    for name, _ in filter_:
        if name != "name":
            raise InvalidArgument(f"invalid filter '{name}'")
    if format_ not in ("table", "json"):
        raise InvalidArgument(f'format value "{format_}" could not be parsed')
    with called(cli, common) as call:
        request = containers.list_(all_=all_, where={"label": [labels.PROJECT, labels.CONFIG_HASH]})
        found = call.engines.ask(request, tuple[ContainerSummary, ...])
    projects: dict[str, list[ContainerSummary]] = {}
    for container in found:
        projects.setdefault(container.labels[labels.PROJECT], []).append(container)
    wanted = [value for _, value in filter_]
    names = [
        name
        for name in sorted(projects)
        if not wanted or any(wildcard(each).fullmatch(name) for each in wanted)
    ]
    rows = [(name, _status(projects[name]), _files(projects[name])) for name in names]
    if quiet:
        cli.out.write("".join(f"{name}\n" for name in names))
    elif format_ == "json":
        heads = ("Name", "Status", "ConfigFiles")
        shown = [dict(zip(heads, row, strict=True)) for row in rows]
        cli.print(json.dumps(shown, separators=(",", ":")))
    else:
        lines = [("NAME", "STATUS", "CONFIG FILES"), *rows]
        cli.out.write(aligned(["\t".join(line) for line in lines], narrowest=20, gap=3))


def _status(containers_: list[ContainerSummary]) -> str:
    """``exited(1), running(2)``"""
    counted = Counter(each.state for each in containers_)
    return ", ".join(f"{state}({count})" for state, count in sorted(counted.items()))


def _files(containers_: list[ContainerSummary]) -> str:
    files: dict[str, None] = {}
    for container in containers_:
        if labels.CONFIG_FILES not in container.labels:
            return "N/A"
        files.update(dict.fromkeys(container.labels[labels.CONFIG_FILES].split(",")))
    return ",".join(files)
