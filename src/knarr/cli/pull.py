"""Fetching an image, for ``pull``, ``run`` and ``create``."""

from __future__ import annotations

from knarr.cli.cli import Cli
from knarr.cli.credentials import header_for
from knarr.cli.progress import show_progress
from knarr.client.calls import images
from knarr.client.lean import TextIO
from knarr.reference import Reference


def pull(
    cli: Cli,
    name: str,
    *,
    out: TextIO,
    platform: str = "",
    quiet: bool = False,
    all_tags: bool = False,
) -> Reference:
    """Fetch one image (or all of a repository) and show how far it is; answers with its name."""
    reference = Reference.parse(name)
    if not all_tags:
        reference = reference.tagged()
    tag = str(reference.digest or reference.tag)
    request = images.pull(
        reference.name,
        tag="" if all_tags else tag,
        platform=platform,
        auth=header_for(cli, reference.domain),
    )
    messages = cli.engine.lines(request)
    show_progress(messages, None if quiet else out)
    return reference
