from knarr.cli.attached import terminal_size
from knarr.cli.cli import Cli
from knarr.cli.command import command
from knarr.cli.create.making import checked_body, make, with_own_words
from knarr.cli.create.options import ContainerOptions


@command("container create", usage="IMAGE [COMMAND] [ARG...]", interspersed=False)
def create(cli: Cli, image: str, *words: str, options: ContainerOptions) -> None:
    """Create a container without starting it"""
    body = with_own_words(cli, lambda: checked_body(cli, options, image, words, terminal_size()))
    cli.print(make(cli, options, image, body))
