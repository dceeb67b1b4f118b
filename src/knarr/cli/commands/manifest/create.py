from knarr.cli.cli import Cli
from knarr.cli.command import Annotated, Flag, command
from knarr.cli.manifests import INDEXES, fetched, lists
from knarr.errors import InvalidArgument
from knarr.reference import Reference


@command("manifest create", usage="MANIFEST_LIST MANIFEST [MANIFEST...]")
def create(
    cli: Cli,
    manifest_list: str,
    manifest: str,
    *more: str,
    amend: Annotated[bool, Flag("Add to a list that has been begun", short="-a")] = False,
    insecure: Annotated[bool, Flag("Talk to a registry without TLS, or with any")] = False,
) -> None:
    """Begin a list of manifests, to be pushed under one name"""
    name = Reference.parse(manifest_list).tagged()
    store = lists(cli)
    if store.has(name) and not amend:
        raise InvalidArgument("refusing to amend an existing manifest list with no --amend flag")
    found = []
    for word in (manifest, *more):
        ref = Reference.parse(word).tagged()
        entry = store.find(name, ref) or fetched(cli, ref, insecure=insecure)
        entry.pop("children", None)
        if entry["Descriptor"]["mediaType"] in INDEXES:
            raise InvalidArgument(f"{ref.familiar} is a manifest list")
        found.append(entry)
    for entry in found:
        store.put(name, entry)
    cli.print(f"Created manifest list {name.familiar}")
