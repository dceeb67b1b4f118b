from knarr.cli.cli import Cli
from knarr.cli.columns.context import context_listing
from knarr.cli.command import Annotated, Flag, command
from knarr.cli.contexts import DEFAULT, ContextStore
from knarr.cli.flags import FORMAT_HELP
from knarr.cli.text import ellipsis
from knarr.client.lean import Any
from knarr.errors import KnarrError

DESCRIPTION = "Current DOCKER_HOST based configuration"
ERROR_WIDTH = 80


@command("context ls")
def ls(
    cli: Cli,
    *,
    format_: Annotated[str, Flag(FORMAT_HELP)] = "",
    quiet: Annotated[bool, Flag("Print names only", short="-q")] = False,
) -> None:
    """List contexts"""
    store, current = ContextStore(cli.config_folder), cli.context
    rows: list[dict[str, Any]] = []
    for name in sorted([DEFAULT, *store.names()]):
        row = {"name": name, "description": "", "host": "", "error": ""}
        if name == DEFAULT:
            row |= {"description": DESCRIPTION, "host": cli.default_endpoint()[0].text}
        else:
            context = store.get(name)
            row |= {"description": context.description, "host": context.host}
        rows.append({**row, "current": name == current})
    if current not in (row["name"] for row in rows):
        rows.append(_lost(store, current))
    if not quiet and not format_:
        rows = [{**row, "name": _starred(row)} for row in rows]
    context_listing().show(cli, rows, form=format_, only="Name" if quiet else "")
    if cli.environ.get("DOCKER_HOST"):
        cli.warn(
            "Warning: DOCKER_HOST environment variable overrides the active context. To use a "
            "context, either set the global --context flag, or unset DOCKER_HOST environment "
            "variable."
        )


def _starred(row: dict[str, Any]) -> str:
    return f"{row['name']} *" if row["current"] else str(row["name"])


def _lost(store: ContextStore, name: str) -> dict[str, Any]:
    try:
        store.get(name)
    except KnarrError as error:
        problem = ellipsis(str(error), ERROR_WIDTH)
    return {"name": name, "description": "", "host": "", "error": problem, "current": True}
