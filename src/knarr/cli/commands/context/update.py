from dataclasses import replace

from knarr.cli.cli import Cli
from knarr.cli.command import Annotated, Flag, command
from knarr.cli.commands.context.create import PAIRS
from knarr.cli.contexts import ContextStore
from knarr.cli.endpoints import endpoint_of


@command(
    "context update",
    note="Keys of --docker: from (another context), host, ca, cert, key, skip-tls-verify.",
)
def update(
    cli: Cli,
    context: str,
    *,
    description: Annotated[str, Flag("What the context is for")] = "",
    docker: Annotated[
        dict[str, str] | None, Flag("Where the engine is", kind=PAIRS, shown="[]")
    ] = None,
) -> None:
    """Change a context"""
    store = ContextStore(cli.config_folder)
    changed = store.get(context)
    if description:
        changed = replace(changed, description=description)
    if docker is not None:
        host, skip_verify, files = endpoint_of(store, docker, cli.default_endpoint()[0].text)
        changed = replace(changed, host=host, skip_verify=skip_verify)
        store.put_tls(context, files)
    store.put(changed)
    cli.print(context)
    cli.warn(f'Successfully updated context "{context}"')
