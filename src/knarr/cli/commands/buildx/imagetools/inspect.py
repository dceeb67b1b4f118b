import json
import sys

from knarr.cli.cli import Cli
from knarr.cli.command import Annotated, Flag, command
from knarr.cli.flags import FORMAT_HELP
from knarr.cli.manifests import INDEXES, fetched, manifest_of
from knarr.reference import Reference


@command("buildx imagetools inspect", usage="NAME")
def inspect(
    cli: Cli,
    name: str,
    *,
    builder: Annotated[str, Flag("Builder to ask (there is one)")] = "",  # noqa: ARG001
    debug: Annotated[bool, Flag("No effect here", short="-D")] = False,  # noqa: ARG001
    format_: Annotated[str, Flag(FORMAT_HELP)] = "",
    raw: Annotated[bool, Flag("Print the manifest byte for byte")] = False,
) -> None:
    """Show an image in its registry"""
    from knarr.cli.imagetools import Fields, raw_of, shown

    reference = Reference.parse(name).tagged()
    found = fetched(cli, reference)
    if raw:
        cli.out.flush()
        sys.stdout.buffer.write(raw_of(found))
        return
    if not format_:
        cli.print(shown(str(reference), found))
        return
    from knarr.cli.formatted import renderer, unescaped

    is_index = found["Descriptor"]["mediaType"] in INDEXES
    document = json.loads(raw_of(found)) if is_index else manifest_of(found)
    told = {"schemaVersion": 2, **found["Descriptor"], **document}
    source = "{{json .}}" if format_ == "json" else unescaped(format_)
    cli.print(renderer(source)(Fields({"name": str(reference), "manifest": told})))
