from knarr.cli.cli import Cli
from knarr.cli.command import Annotated, Flag, command
from knarr.cli.contexts import DEFAULT, ContextStore
from knarr.cli.exit import Exit
from knarr.errors import KnarrError


@command("context rm", usage="CONTEXT [CONTEXT...]")
def rm(
    cli: Cli,
    context: str,
    *more: str,
    force: Annotated[bool, Flag("Also where it is the current one", short="-f")] = False,
) -> None:
    """Remove one or more contexts"""
    store, failures = ContextStore(cli.config_folder), []
    for name in (context, *more):
        try:
            _remove(cli, store, name, force=force)
        except KnarrError as error:
            failures.append(str(error))
        else:
            cli.print(name)
    if failures:
        raise Exit(1, "\n".join(failures))


def _remove(cli: Cli, store: ContextStore, name: str, *, force: bool) -> None:
    if name == DEFAULT:
        raise KnarrError('context "default" cannot be removed')
    if not store.exists(name):
        if force:
            return
        raise KnarrError(f'context "{name}" does not exist')
    if name == cli.context:
        if not force:
            raise KnarrError(f'context "{name}" is in use, set -f flag to force remove')
        cli.config.values.pop("currentContext", None)
        cli.config.write()
    store.remove(name)
