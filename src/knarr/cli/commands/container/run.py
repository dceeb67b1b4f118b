from knarr.cli.attached import check_terminal, terminal_size
from knarr.cli.cli import Cli
from knarr.cli.command import Annotated, Flag, command
from knarr.cli.create.making import checked_body, make, with_own_words
from knarr.cli.create.options import ContainerOptions
from knarr.cli.create.plan import streams
from knarr.cli.exit import Exit
from knarr.cli.running import failed_start, keys_in_force, run_attached
from knarr.client.calls import containers
from knarr.errors import KnarrError


@command("container run", usage="IMAGE [COMMAND] [ARG...]", interspersed=False)
def run(
    cli: Cli,
    image: str,
    *words: str,
    options: ContainerOptions,
    detach: Annotated[bool, Flag("Run in the background and print the ID", short="-d")] = False,
    detach_keys: Annotated[str, Flag("Keys that detach from the container")] = "",
    sig_proxy: Annotated[bool, Flag("Pass signals on to the process")] = True,
) -> int:
    """Make a container from an image and run it"""
    body = with_own_words(cli, lambda: checked_body(cli, options, image, words, terminal_size()))
    attach = streams(options)
    if detach:
        if options.attach:
            raise Exit(1, "conflicting options: cannot specify both --attach and --detach")
        attach = frozenset()
        body |= dict.fromkeys(("AttachStdin", "AttachStdout", "AttachStderr", "StdinOnce"), False)
    check_terminal(stdin="stdin" in attach, tty=options.tty)
    try:
        container = make(cli, options, image, body)
    except Exit:
        raise
    except KnarrError as error:
        raise failed_start(cli, error) from error
    if attach:
        return run_attached(
            cli, container, attach=attach, tty=options.tty,
            keys=keys_in_force(cli, detach_keys), signals=sig_proxy, removed=options.rm,
            refused=lambda error: failed_start(cli, error),
        )  # fmt: skip
    try:
        cli.engine.ask(containers.start(container))
    except KnarrError as error:
        raise failed_start(cli, error) from error
    cli.print(container)
    return 0
