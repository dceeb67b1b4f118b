from typing import Any

from knarr.cli.cli import Cli
from knarr.cli.command import command
from knarr.cli.compose.call import called
from knarr.cli.compose.flags import Common
from knarr.cli.table import aligned
from knarr.client.calls import containers
from knarr.compose.observed import name_of, number_of, service_of
from knarr.compose.observing import containers_of
from knarr.spec.docker.container import ContainerTop


@command("compose top", usage="[SERVICES...]")
def top(cli: Cli, *services: str, common: Common) -> None:
    """Show the processes of services"""
    with called(cli, common) as call:
        found = [
            each
            for each in containers_of(call.engines, call.name())
            if each.state == "running" and (not services or service_of(each) in services)
        ]
        titles: dict[str, None] = {}
        rows: list[dict[str, Any]] = []
        for container in sorted(found, key=name_of):
            table = call.engines.ask(containers.top(container.id), ContainerTop)
            titles.update(dict.fromkeys(table.titles))
            own = {"SERVICE": service_of(container), "#": str(number_of(container) or "")}
            rows += [
                {**own, **dict(zip(table.titles, process, strict=False))}
                for process in table.processes
            ]
    if not rows:
        return
    # What may be long stands last.
    heads = ["SERVICE", "#", *(each for each in titles if each != "CMD"), "CMD"]
    lines = ["\t".join(heads)]
    lines += ("\t".join(row.get(head, "-") for head in heads) for row in rows)
    cli.out.write(aligned(lines, narrowest=4, gap=2))
