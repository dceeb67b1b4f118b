from knarr.cli.cli import Cli
from knarr.cli.command import Annotated, Flag, command
from knarr.cli.flags import STRINGS
from knarr.cli.manifests import is_known, lists
from knarr.errors import InvalidArgument, NotFound
from knarr.reference import Reference


@command("manifest annotate", usage="MANIFEST_LIST MANIFEST")
def annotate(
    cli: Cli,
    manifest_list: str,
    manifest: str,
    *,
    arch: Annotated[str, Flag("Architecture")] = "",
    os: Annotated[str, Flag("Operating system")] = "",
    os_features: Annotated[
        tuple[str, ...], Flag("Features that the operating system must have", kind=STRINGS)
    ] = (),
    os_version: Annotated[str, Flag("Version of the operating system")] = "",
    variant: Annotated[str, Flag("Variant of the architecture")] = "",
) -> None:
    """Say which platform a manifest of a list is for"""
    name, ref = Reference.parse(manifest_list).tagged(), Reference.parse(manifest).tagged()
    store = lists(cli)
    entry = store.find(name, ref)
    if entry is None:
        told = Reference.parse(manifest).familiar  # without a tag that nobody gave
        raise NotFound(f"manifest for image {told} does not exist in {name.familiar}")
    features = [word for text in os_features for word in text.split(",") if word]
    changes = {"architecture": arch, "os": os, "os.version": os_version, "os.features": features,
               "variant": variant}  # fmt: skip
    platform = dict(entry["Descriptor"].get("platform") or {})
    platform |= {key: value for key, value in changes.items() if value}
    if not is_known(platform.get("os", ""), platform.get("architecture", "")):
        raise InvalidArgument(
            f"manifest entry for image has unsupported os/arch combination: {os}/{arch}"
        )
    entry["Descriptor"]["platform"] = platform
    store.put(name, entry)
