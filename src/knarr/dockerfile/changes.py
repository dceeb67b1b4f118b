"""``--change``: instructions that edit an image's config, for ``commit`` and ``import``."""

from collections.abc import Sequence
from typing import Final

from msgspec.structs import replace

from knarr.dockerfile.lower import lower
from knarr.dockerfile.model import parse_dockerfile
from knarr.dockerfile.plan import BaseRequest, BuildOptions
from knarr.dockerfile.stage import DEFAULT_PATH
from knarr.errors import InvalidArgument
from knarr.spec.docker.image import ImageConfig
from knarr.spec.oci.image import ImageDocument

_ALLOWED: Final = (
    "CMD", "ENTRYPOINT", "ENV", "EXPOSE", "HEALTHCHECK", "LABEL", "ONBUILD", "STOPSIGNAL", "USER",
    "VOLUME", "WORKDIR",
)  # fmt: skip
_BASE: Final = "base"
_BUILD_PATH: Final = f"PATH={DEFAULT_PATH}"


def edited(config: ImageConfig, changes: Sequence[str]) -> ImageConfig:
    """The config after the instructions, each a line of a Dockerfile.

    Raises InvalidArgument, in Docker's words, for one that changes files or does not exist.
    """
    if not changes:
        return config
    for change in changes:
        for line in change.splitlines():
            word = (line.split() or [""])[0].upper()
            if word and word not in _ALLOWED:
                raise InvalidArgument(f"{word.lower()} is not a valid change command")
    options = BuildOptions()
    base = BaseRequest(reference=f"docker.io/library/{_BASE}:latest", platform=options.platform)
    document = ImageDocument(config=config)
    # A stage of a build gets a PATH if it has none; a config that is edited does not.
    added = () if any(each.startswith("PATH=") for each in config.env) else (_BUILD_PATH,)
    dockerfile = parse_dockerfile("\n".join((f"FROM {_BASE}", *changes)), "changes")
    after = lower(dockerfile, options, {base: document}).target.config
    return replace(after, env=tuple(each for each in after.env if each not in added))
