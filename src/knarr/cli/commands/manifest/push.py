import base64

from knarr.cli.cli import Cli
from knarr.cli.command import Annotated, Flag, command
from knarr.cli.credentials import header_for
from knarr.cli.manifests import index_of, index_text, lists
from knarr.cli.progress import show_progress
from knarr.client.calls import images
from knarr.errors import InvalidArgument
from knarr.reference import Reference


@command("manifest push", usage="MANIFEST_LIST")
def push(
    cli: Cli,
    manifest_list: str,
    *,
    insecure: Annotated[bool, Flag("Talk to a registry without TLS, or with any")] = False,
    purge: Annotated[bool, Flag("Remove the list here once it is there", short="-p")] = False,
) -> None:
    """Send a list of manifests to its registry"""
    name = Reference.parse(manifest_list).tagged()
    store = lists(cli)
    entries = store.entries(name)
    for entry in entries:
        platform = entry["Descriptor"].get("platform") or {}
        if not (platform.get("os") and platform.get("architecture")):
            raise InvalidArgument(
                f"manifest {entry['Ref']} must have an OS and Architecture to be pushed to a"
                " registry: knarr manifest annotate"
            )
    index = index_of(entries)
    body = {
        "MediaType": index["mediaType"],
        "Raw": base64.b64encode(index_text(index).encode()).decode(),
        "Parts": [
            {"Ref": entry["Ref"], "Digest": entry["Descriptor"]["digest"]} for entry in entries
        ],
    }
    request = images.push_index(
        str(name), body, insecure=insecure, auth=header_for(cli, name.domain)
    )
    done: dict[str, str] = {}
    show_progress(cli.engine.lines(request), cli.out, aux=done.update)
    cli.print(done["Digest"])
    if purge:
        store.remove(name)
