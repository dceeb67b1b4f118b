from dataclasses import replace

from knarr.cli.cli import Cli
from knarr.cli.command import Annotated, Flag, Kind, command
from knarr.cli.commands.context.ls import DESCRIPTION
from knarr.cli.contexts import DEFAULT, Context, ContextStore, check_name
from knarr.cli.endpoints import copied, endpoint_of, pairs_of
from knarr.errors import Conflict, InvalidArgument

PAIRS = Kind("stringToString", pairs_of)


@command(
    "context create",
    note="Keys of --docker: from (another context), host, ca, cert, key, skip-tls-verify.",
)
def create(
    cli: Cli,
    context: str,
    *,
    description: Annotated[str, Flag("What the context is for")] = "",
    docker: Annotated[
        dict[str, str] | None, Flag("Where the engine is", kind=PAIRS, shown="[]")
    ] = None,
    from_: Annotated[str, Flag("Copy another context")] = "",
) -> None:
    """Create a context"""
    check_name(context)
    store = ContextStore(cli.config_folder)
    if store.exists(context):
        raise Conflict(f'context "{context}" already exists')
    here = cli.default_endpoint()[0].text
    if from_ or docker is None:
        if docker is not None:
            raise InvalidArgument("cannot use --docker flag when --from is set")
        default = Context(name=DEFAULT, description=DESCRIPTION, host=here)
        made = copied(store, from_ or cli.context, context, default)
        store.put(replace(made, description=description or made.description))
    else:
        host, skip_verify, files = endpoint_of(store, docker, here)
        store.put(Context(name=context, description=description, host=host,
                          skip_verify=skip_verify))  # fmt: skip
        store.put_tls(context, files)
    cli.print(context)
    cli.warn(f'Successfully created context "{context}"')
