from knarr.cli.cli import Cli
from knarr.cli.command import command
from knarr.cli.exit import Exit, text_of
from knarr.cli.manifests import lists
from knarr.errors import KnarrError
from knarr.reference import Reference


@command("manifest rm", usage="MANIFEST_LIST [MANIFEST_LIST...]")
def rm(cli: Cli, manifest_list: str, *more: str) -> None:
    """Forget lists of manifests that have been begun here"""
    failures = []
    for word in (manifest_list, *more):
        try:
            lists(cli).remove(Reference.parse(word).tagged())
        except KnarrError as error:
            failures.append(text_of(error))
    if failures:
        raise Exit(1, "\n".join(failures))
