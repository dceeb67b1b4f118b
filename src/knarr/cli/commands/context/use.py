from knarr.cli.cli import Cli
from knarr.cli.command import command
from knarr.cli.contexts import DEFAULT, ContextStore


@command("context use")
def use(cli: Cli, context: str) -> None:
    """Make a context the current one"""
    if context == DEFAULT:
        cli.config.values.pop("currentContext", None)
    else:
        ContextStore(cli.config_folder).get(context)
        cli.config.values["currentContext"] = context
    cli.config.write()
    cli.print(context)
    cli.warn(f'Current context is now "{context}"')
    if host := cli.environ.get("DOCKER_HOST"):
        cli.warn(
            f"Warning: DOCKER_HOST environment variable overrides the active context. To use "
            f'"{context}", either set the global --context flag, or unset DOCKER_HOST environment '
            f"variable ({host})."
        )
