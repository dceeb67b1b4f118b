from knarr.cli.attached import STDIN_FD, STDOUT_FD
from knarr.cli.cli import Cli
from knarr.cli.command import Annotated, Flag, command
from knarr.cli.commands.container.exec import exec_ as run_in_container
from knarr.cli.compose.call import called
from knarr.cli.compose.choosing import container_of
from knarr.cli.compose.flags import Common
from knarr.cli.compose.terminal import wants_terminal
from knarr.compose.observed import name_of


@command("compose exec", usage="SERVICE COMMAND [ARGS...]", interspersed=False)
def exec_(
    cli: Cli,
    service: str,
    program: str,
    *words: str,
    common: Common,
    detach: Annotated[bool, Flag("Run in the background", short="-d")] = False,
    env: Annotated[tuple[str, ...], Flag("Set a variable", short="-e")] = (),
    index: Annotated[int, Flag("Number of the container, where there are several")] = 0,
    interactive: Annotated[bool, Flag("Keep STDIN open", short="-i", hidden=True)] = True,
    no_tty: Annotated[
        bool, Flag("No terminal for the process", short="-T", also=("no-TTY",), shown="")
    ] = False,
    privileged: Annotated[bool, Flag("Give the process all privileges")] = False,
    tty: Annotated[bool, Flag("A terminal for the process", short="-t", hidden=True)] = True,
    user: Annotated[str, Flag("Who runs the process", short="-u")] = "",
    workdir: Annotated[str, Flag("Folder to start in", short="-w")] = "",
) -> int:
    """Run a further program in a running container of a service"""
    with called(cli, common) as call:
        environment = call.found.request.environment
        variables = tuple(
            f"{entry}={environment[entry]}" if "=" not in entry and entry in environment else entry
            for entry in env
        )
        target = container_of(call, service, index)
        ran = f"Ran {' '.join((program, *words))}"
        if call.only_tells(f"Container {name_of(target)}", "Running", ran):
            return 0
    terminal = wants_terminal(cli, no_tty=no_tty, tty=tty, fds=(STDIN_FD, STDOUT_FD))
    return run_in_container(
        cli, target.id, program, *words, detach=detach, env=variables, interactive=interactive,
        privileged=privileged, tty=terminal and not detach, user=user, workdir=workdir,
    )  # fmt: skip
