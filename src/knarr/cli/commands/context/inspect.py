import json

from knarr.cli.cli import Cli
from knarr.cli.command import Annotated, Flag, command
from knarr.cli.contexts import DEFAULT, Context, ContextStore
from knarr.cli.flags import INSPECT_FORMAT_HELP
from knarr.cli.inspecting import inspect as show
from knarr.template_functions import html_safe

IN_MEMORY = "<IN MEMORY>"


@command("context inspect", usage="[CONTEXT] [CONTEXT...]")
def inspect(
    cli: Cli,
    *contexts: str,
    format_: Annotated[str, Flag(INSPECT_FORMAT_HELP, short="-f")] = "",
) -> None:
    """Show all about one or more contexts"""
    store = ContextStore(cli.config_folder)

    def fetch(name: str) -> bytes:
        if name == DEFAULT:
            context = Context(name=DEFAULT, host=cli.default_endpoint()[0].text)
            meta = tls = IN_MEMORY
        else:
            context = store.get(name)
            meta, tls = store.meta_folder(name), store.tls_folder(name)
        files = store.tls_files(name) if name != DEFAULT else {}
        document = context.document()
        document["TLSMaterial"] = {"docker": list(files)} if files else {}
        document["Storage"] = {"MetadataPath": meta, "TLSPath": tls}
        return html_safe(json.dumps(document)).encode()

    show(cli, contexts or (cli.context,), fetch, format_)
