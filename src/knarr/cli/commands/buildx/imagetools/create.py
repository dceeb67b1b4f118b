import base64
import json

from knarr.cli.cli import Cli
from knarr.cli.command import Annotated, Flag, command
from knarr.cli.create.platforms import platforms_of
from knarr.cli.credentials import header_for
from knarr.cli.flags import STRINGS
from knarr.cli.progress import show_progress
from knarr.client.calls import images
from knarr.errors import InvalidArgument, KnarrError
from knarr.reference import Reference


@command("buildx imagetools create", usage="[SOURCE...]")
def create(
    cli: Cli,
    *sources: str,
    annotation: Annotated[
        tuple[str, ...], Flag("Note on the index, or on its entries", kind=STRINGS)
    ] = (),
    append: Annotated[bool, Flag("Add to the index that the tag has")] = False,
    builder: Annotated[str, Flag("Builder to ask (there is one)")] = "",  # noqa: ARG001
    debug: Annotated[bool, Flag("No effect here", short="-D")] = False,  # noqa: ARG001
    dry_run: Annotated[bool, Flag("Print the index, and push nothing")] = False,
    file: Annotated[
        tuple[str, ...], Flag("File with a source or its descriptor", short="-f", kind=STRINGS)
    ] = (),
    metadata_file: Annotated[str, Flag("File for the digest and the names, as JSON")] = "",
    platform: Annotated[
        tuple[str, ...], Flag("Keep only these platforms", short="-p", kind=STRINGS)
    ] = (),
    prefer_index: Annotated[bool, Flag("Make an index of a single manifest too")] = True,
    progress: Annotated[str, Flag("auto, none, plain, rawjson or tty")] = "auto",
    tag: Annotated[tuple[str, ...], Flag("Name of the index", short="-t", kind=STRINGS)] = (),
) -> None:
    """Make an index of images that are in a registry"""
    from knarr.cli.imagetools import annotated, described, digest_of, index_bytes, kept, parts_of

    targets = [Reference.parse(each).tagged() for each in tag]
    words = [*sources, *(_read(each) for each in file)]
    if append:
        if not targets:
            raise InvalidArgument("can't append to an image that has no name: give --tag")
        words.insert(0, str(targets[0]))
    if not words:
        raise InvalidArgument("no sources specified")
    if not (targets or dry_run):
        raise InvalidArgument("can't push with no tags specified, please set --tag or --dry-run")
    found = []
    for word in words:
        found += [described(cli, word, targets)] if word.startswith("{") else parts_of(cli, word)
    parts = kept(found, platforms_of(platform, said="invalid platform: "))
    notes = annotated(parts, annotation)
    if len(parts) == 1 and not prefer_index:
        raise InvalidArgument("a single manifest is not copied: leave out --prefer-index=false")
    raw = index_bytes(parts, notes)
    if dry_run:
        cli.print(raw.decode())
        return
    body = {
        "MediaType": "application/vnd.oci.image.index.v1+json",
        "Raw": base64.b64encode(raw).decode(),
        "Parts": [{"Ref": str(each.ref), "Digest": each.descriptor["digest"]} for each in parts],
    }
    for target in targets:
        request = images.push_index(str(target), body, auth=header_for(cli, target.domain))
        show_progress(cli.engine.lines(request), None if progress == "none" else cli.err)
    if metadata_file:
        told = {
            "containerimage.descriptor": {
                "mediaType": body["MediaType"], "digest": digest_of(raw), "size": len(raw),
            },
            "containerimage.digest": digest_of(raw),
            "image.name": ",".join(str(each) for each in targets),
        }  # fmt: skip
        with open(metadata_file, "w", encoding="utf-8") as out:
            json.dump(told, out, indent=2)


def _read(path: str) -> str:
    try:
        with open(path, encoding="utf-8") as file:
            return file.read().strip()
    except (OSError, UnicodeDecodeError) as error:
        raise KnarrError(f"{path} cannot be read: {error}") from error
