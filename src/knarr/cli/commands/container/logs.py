from knarr.cli.attached import STDERR_FD, STDOUT_FD, write_all
from knarr.cli.cli import Cli
from knarr.cli.command import Annotated, Flag, command
from knarr.client.calls import containers
from knarr.errors import InvalidArgument, KnarrError
from knarr.http.frames import ENGINE_ERROR, STDERR


@command("container logs")
def logs(
    cli: Cli,
    container: str,
    *,
    details: Annotated[bool, Flag("Show attributes of the logging driver")] = False,
    follow: Annotated[bool, Flag("Go on as more is written", short="-f")] = False,
    since: Annotated[str, Flag("From this moment on ('2013-01-02T13:23:37Z', or '42m' ago)")] = "",
    tail: Annotated[str, Flag("Number of lines at the end", short="-n")] = "all",
    timestamps: Annotated[bool, Flag("Show when each line was written", short="-t")] = False,
    until: Annotated[
        str, Flag("Up to this moment ('2013-01-02T13:23:37Z', or '42m' ago)", since="1.35")
    ] = "",
) -> None:
    """Show what a container wrote"""
    inspected = cli.engine.ask(containers.inspect(container))
    request = containers.logs(
        inspected["Id"], follow=follow, since=_moment("since", since),
        until=_moment("until", until), timestamps=timestamps, details=details, tail=tail,
    )  # fmt: skip
    cli.out.flush()
    for number, data in cli.engine.output(request, raw=bool(inspected["Config"]["Tty"])):
        if number == ENGINE_ERROR:
            raise KnarrError(data.decode("utf-8", "replace").strip())
        write_all(STDERR_FD if number == STDERR else STDOUT_FD, data)


def _moment(name: str, text: str) -> str:
    if not text:
        return ""
    from knarr.cli.moments import moment

    try:
        return moment(text)
    except InvalidArgument as error:
        raise InvalidArgument(f'invalid value for "{name}": {error}') from error
