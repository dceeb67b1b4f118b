import base64
import json

from knarr.cli.cli import Cli
from knarr.cli.command import Annotated, Flag, command
from knarr.cli.manifests import INDEXES, fetched, index_of, index_text, lists, manifest_of
from knarr.client.lean import Any
from knarr.errors import NotFound
from knarr.reference import Reference


@command("manifest inspect", usage="[MANIFEST_LIST] MANIFEST")
def inspect(
    cli: Cli,
    first: str,
    second: str = "",
    *,
    insecure: Annotated[bool, Flag("Talk to a registry without TLS, or with any")] = False,
    verbose: Annotated[
        bool, Flag("Show platforms, and each manifest of a list", short="-v")
    ] = False,
) -> None:
    """Show a manifest, or a list of them, as its registry has it"""
    name = Reference.parse(first).tagged()
    if second:
        ref = Reference.parse(second).tagged()
        entry = lists(cli).find(name, ref)
        if entry is None:
            raise NotFound(f"No such manifest: {ref.familiar}")
        _show(cli, entry if verbose else manifest_of(entry))
        return
    if lists(cli).has(name):
        entries = lists(cli).entries(name)
        if verbose:
            _show(cli, entries)
        else:
            cli.print(index_text(index_of(entries)))
        return
    found = fetched(cli, name, children=verbose, insecure=insecure)
    children = found.pop("children")
    if found["Descriptor"]["mediaType"] not in INDEXES:
        _show(cli, found if verbose else manifest_of(found))
    elif verbose:
        _show(cli, children)
    else:
        cli.print(index_text(json.loads(base64.b64decode(found["Raw"]))))


def _show(cli: Cli, value: Any) -> None:
    cli.print(json.dumps(value, indent="\t", ensure_ascii=False))
