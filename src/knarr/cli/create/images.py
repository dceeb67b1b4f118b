"""The image of ``run`` and ``create``: its name checked, and fetched where it is missing."""

from __future__ import annotations

from knarr.client.lean import TYPE_CHECKING

if TYPE_CHECKING:
    from knarr.cli.cli import Cli

_MARKS = "._-"


def check_reference(image: str) -> None:
    """Raises InvalidArgument in Docker's words for what cannot name an image.

    The grammar itself costs the start of a command 10 ms, so the plainest names go without it.
    """
    if not _is_plain(image):
        from knarr.reference import Reference

        if not _is_identifier(image):
            Reference.parse(image)


def _is_plain(image: str) -> bool:
    """``debian:bookworm``, ``ghcr.io/owner/app:1.2``: lower case, single marks between letters."""
    name, colon, tag = image.rpartition(":")
    if not colon or "/" in tag:
        name, tag = image, ""
    words = name.replace("/", ".").replace("-", ".").replace("_", ".").split(".")
    plain_tag = not tag or tag.replace(".", "").replace("-", "").isalnum()
    return (
        all(word.isalnum() and word.islower() for word in words if not word.isdecimal())
        and all(words) and image.isascii() and plain_tag and len(tag) < 128 and len(image) < 200
        and not (colon and not tag and name != image) and len(image) != 64
    )  # fmt: skip


def _is_identifier(text: str) -> bool:
    digits = text.removeprefix("sha256:")
    return len(digits) == 64 and all(digit in "0123456789abcdef" for digit in digits)


def fetch(cli: Cli, image: str, *, platform: str, quiet: bool) -> None:
    """Pull the image, the progress shown on stderr."""
    from knarr.cli.pull import pull

    pull(cli, image, platform=platform, quiet=quiet, out=cli.err)


def announce_missing(cli: Cli, image: str) -> None:
    from knarr.reference import Reference

    cli.warn(f"Unable to find image '{Reference.parse(image).tagged().familiar}' locally")
