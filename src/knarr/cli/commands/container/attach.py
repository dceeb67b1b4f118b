from knarr.cli.attached import check_terminal
from knarr.cli.cli import Cli
from knarr.cli.command import Annotated, Flag, command
from knarr.cli.running import keys_in_force, run_attached
from knarr.client.calls import containers
from knarr.errors import Conflict


@command("container attach")
def attach(
    cli: Cli,
    container: str,
    *,
    detach_keys: Annotated[str, Flag("Keys that detach from the container")] = "",
    no_stdin: Annotated[bool, Flag("Do not send our input")] = False,
    sig_proxy: Annotated[bool, Flag("Pass signals on to the process")] = True,
) -> int:
    """Put a running container's output here, and our input there"""
    found = cli.engine.ask(containers.inspect(container))
    state, config = found["State"], found["Config"]
    if not state["Running"]:
        raise Conflict("You cannot attach to a stopped container, start it first")
    if state["Paused"]:
        raise Conflict("You cannot attach to a paused container, unpause it first")
    if state["Restarting"]:
        raise Conflict("You cannot attach to a restarting container, wait until it is running")
    streams = {"stdout", "stderr"}
    if not no_stdin and config.get("OpenStdin"):
        streams.add("stdin")
    check_terminal(stdin=not no_stdin, tty=bool(config["Tty"]))
    return run_attached(
        cli, found["Id"], attach=frozenset(streams), tty=bool(config["Tty"]),
        keys=keys_in_force(cli, detach_keys), signals=sig_proxy and not config["Tty"],
        removed=False, start=False, refused=lambda error: error,
    )  # fmt: skip
