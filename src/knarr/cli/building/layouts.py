"""OCI layouts in folders: lent to the engine as images for the length of a build.

Source: OCI image-spec, image-layout.md; buildx reference, "build-context" (oci-layout://).
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from itertools import count
from typing import Any, Final

from knarr.cli.cli import Cli
from knarr.client.calls import images
from knarr.errors import KnarrError

SCHEME: Final = "oci-layout://"
HERE: Final = (
    "engine-image://"  # a named context which the engine has, and never looks for elsewhere
)
_numbers: Final = count()  # two builds of one program lend under names of their own
_LOADED: Final = re.compile(r"Loaded image(?: ID)?: (\S+)")


class Lent:
    """Images that go again with the build. Their names are this program's own."""

    def __init__(self, cli: Cli) -> None:
        self._cli = cli
        self._names: list[str] = []

    def layout(self, place: str) -> str:
        """The name under which the engine has what is at ``FOLDER[:TAG|@DIGEST]``."""
        from knarr.cli.building.layoutfiles import lone_image

        request = images.load(lone_image(place), quiet=True)
        told = "".join(each.get("stream", "") for each in sound(self._cli.engine.lines(request)))
        found = _LOADED.search(told)
        if found is None:
            raise KnarrError(f"{place} holds no image that the engine could read")
        name = f"knarr-lent-{os.getpid()}-{next(_numbers)}"
        self._cli.engine.ask(images.tag(found[1], name))
        self._names.append(name)
        return name

    def give_back(self) -> None:
        for name in self._names:
            try:
                self._cli.engine.ask(images.remove(name, force=True))
            except KnarrError as error:
                self._cli.warn(f"WARNING: {error}")


def sound(documents: Iterable[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Raises KnarrError for the one that is an error."""
    for document in documents:
        if (error := document.get("errorDetail")) is not None:
            raise KnarrError(error.get("message", ""))
        yield document
