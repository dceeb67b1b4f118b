from knarr.cli.attached import Attachment, check_terminal, key_sequence, terminal_size
from knarr.cli.cli import Cli
from knarr.cli.command import Annotated, Flag, command
from knarr.cli.create.options import ENV
from knarr.cli.create.plan import environment
from knarr.cli.running import keys_in_force
from knarr.client.calls import execs
from knarr.client.lean import Any


@command("container exec", usage="CONTAINER COMMAND [ARG...]", interspersed=False)
def exec_(
    cli: Cli,
    container: str,
    program: str,
    *words: str,
    detach: Annotated[bool, Flag("Run in the background", short="-d")] = False,
    detach_keys: Annotated[str, Flag("Keys that detach from the process")] = "",
    env: Annotated[
        tuple[str, ...], Flag("Set an environment variable", short="-e", kind=ENV, since="1.25")
    ] = (),
    env_file: Annotated[
        tuple[str, ...], Flag("Read environment variables from a file", since="1.25")
    ] = (),
    interactive: Annotated[bool, Flag("Keep STDIN open", short="-i")] = False,
    privileged: Annotated[bool, Flag("Give the process all privileges")] = False,
    tty: Annotated[bool, Flag("Give the process a terminal", short="-t")] = False,
    user: Annotated[str, Flag("User name or UID (<name|uid>[:<group|gid>])", short="-u")] = "",
    workdir: Annotated[str, Flag("Folder to start in", short="-w", since="1.35")] = "",
) -> int:
    """Run a further program in a running container"""
    body: dict[str, Any] = {
        "Cmd": [program, *words],
        "Env": environment(env_file, env, cli.environ),
        "User": user,
        "Privileged": privileged,
        "Tty": tty,
        "WorkingDir": workdir,
        "AttachStdin": interactive and not detach,
        "AttachStdout": not detach,
        "AttachStderr": not detach,
        "DetachKeys": keys_in_force(cli, detach_keys),
    }
    check_terminal(stdin=interactive and not detach, tty=tty)
    size = terminal_size() if tty else (0, 0)
    identifier: str = cli.engine.ask(execs.create(container, body))["Id"]
    if detach:
        cli.engine.ask(execs.start_detached(identifier, tty=tty))
        return 0
    return _attached(cli, identifier, body, size)


def _attached(cli: Cli, identifier: str, body: dict[str, Any], size: tuple[int, int]) -> int:
    engine, tty = cli.engine, body["Tty"]
    request = execs.start(identifier, tty=tty, size=size if any(size) else None)

    def resize(rows: int, columns: int) -> None:
        engine.ask(execs.resize(identifier, rows=rows, columns=columns))

    with engine.two_way(request, raw=tty) as stream:
        attachment = Attachment(
            stream, stdin=body["AttachStdin"], tty=tty,
            keys=key_sequence(body["DetachKeys"]), resize=resize,
        )  # fmt: skip
        attachment.run()
    return int(engine.ask(execs.inspect(identifier)).get("ExitCode") or 0)
