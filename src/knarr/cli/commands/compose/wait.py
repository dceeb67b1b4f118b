import threading
from queue import SimpleQueue
from typing import Any

from knarr.cli.cli import Cli
from knarr.cli.command import Annotated, Flag, command
from knarr.cli.compose.call import Call, called
from knarr.cli.compose.flags import Common
from knarr.client.calls import containers
from knarr.compose.observed import RUNNING, service_of
from knarr.compose.observing import containers_of
from knarr.compose.plan_down import DownOptions, plan_down
from knarr.errors import KnarrError
from knarr.spec.docker.container import ContainerSummary, ContainerWait


@command("compose wait", usage="SERVICE [SERVICE...]")
def wait(
    cli: Cli,
    service: str,
    *more: str,
    common: Common,
    down_project: Annotated[bool, Flag("Take the project down when the first ends")] = False,
) -> int:
    """Wait until containers of services end; the exit code is the last one's"""
    services = (service, *more)
    with called(cli, common) as call:
        found = [
            each
            for each in containers_of(call.engines, call.name())
            if service_of(each) in services and each.state == RUNNING
        ]
        if not found:
            raise KnarrError(f"no containers for project {call.name()!r}".replace("'", '"'))
        code = _ends(call, found, first=down_project)
        if down_project:
            project, observed = call.seen()
            plan = plan_down(project, observed, DownOptions(remove_orphans=True))
            call.carry_out(plan, project, observed)
        return code


def _ends(call: Call, found: list[ContainerSummary], *, first: bool) -> int:
    """The exit code of the last that ends, or of the first one."""
    ended: SimpleQueue[tuple[str, Any]] = SimpleQueue()
    for container in found:
        threading.Thread(
            target=lambda identifier: ended.put((identifier, _wait(call, identifier))),
            args=(container.id,),
            daemon=True,
        ).start()
    code = 0
    for _ in found:
        identifier, code = ended.get()
        if isinstance(code, KnarrError):
            raise code
        call.cli.print(f'container "{identifier}" exited with status code {code}')
        call.cli.out.flush()
        if first:
            break
    return code


def _wait(call: Call, identifier: str) -> int | KnarrError:
    try:
        return call.engines.ask(containers.wait(identifier), ContainerWait).status_code
    except KnarrError as error:
        return error
