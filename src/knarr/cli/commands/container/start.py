from knarr.cli.attached import check_terminal
from knarr.cli.cli import Cli
from knarr.cli.command import Annotated, Flag, command
from knarr.cli.exit import Exit, text_of
from knarr.cli.running import keys_in_force, run_attached
from knarr.client.calls import containers
from knarr.errors import InvalidArgument, KnarrError


@command("container start", usage="CONTAINER [CONTAINER...]")
def start(
    cli: Cli,
    container: str,
    *more: str,
    attach: Annotated[bool, Flag("Show its output, pass signals on", short="-a")] = False,
    detach_keys: Annotated[str, Flag("Keys that detach from the container")] = "",
    interactive: Annotated[bool, Flag("Send our input to the container", short="-i")] = False,
) -> int:
    """Start one or more stopped containers"""
    if attach or interactive:
        if more:
            raise InvalidArgument("you cannot start and attach multiple containers at once")
        return _attached(cli, container, keys_in_force(cli, detach_keys), interactive=interactive)
    failures, lost = [], []
    for name in (container, *more):
        try:
            cli.engine.ask(containers.start(name, detach_keys=detach_keys))
            cli.print(name)
        except KnarrError as error:
            failures.append(text_of(error))
            lost.append(name)
    if lost:
        told = "\n".join(failures)
        raise Exit(1, f"{told}\nError: failed to start containers: {', '.join(lost)}")
    return 0


def _attached(cli: Cli, name: str, keys: str, *, interactive: bool) -> int:
    found = cli.engine.ask(containers.inspect(name))
    config, tty = found["Config"], bool(found["Config"]["Tty"])
    streams = {"stdout", "stderr"}
    if interactive and config.get("OpenStdin"):
        streams.add("stdin")
        check_terminal(stdin=True, tty=tty)
    return run_attached(
        cli, found["Id"], attach=frozenset(streams), tty=tty, keys=keys, signals=not tty,
        removed=bool(found["HostConfig"]["AutoRemove"]), refused=lambda error: error,
    )  # fmt: skip
