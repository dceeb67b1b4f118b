"""What becomes of an image besides its place in the engine's store: files, folders, archives."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

from knarr.cli.building.outputs import Output
from knarr.cli.cli import Cli
from knarr.client.calls import containers, images
from knarr.client.lean import dumps
from knarr.errors import Unsupported

_NEVER_RUN: Final = "/"  # a container that is made for its files has to have some command


def keep(
    cli: Cli, image: str, names: tuple[str, ...], outputs: tuple[Output, ...], *, knarr: bool
) -> None:
    """Write each of them; archives hold the image by its names. Raises KnarrError, OSError."""
    for output in outputs:
        match output.type:
            case "local":
                _local(cli, image, output.destination, knarr=knarr)
            case "tar":
                with _files(cli, image, knarr=knarr) as pieces:
                    _write(output.destination, pieces)
            case "oci" | "docker" if output.destination:
                with cli.engine.open(images.save(names or (image,))) as answer:
                    if output.as_folder:
                        _unpack(answer.pieces(), output.destination)
                    else:
                        _write(output.destination, answer.pieces())


@contextmanager
def _files(cli: Cli, image: str, *, knarr: bool) -> Iterator[Iterator[bytes]]:
    """The image's file system as a tar; of another engine by a container that never runs."""
    if knarr:
        with cli.engine.open(images.files(image)) as answer:
            yield answer.pieces()
        return
    body = {"Image": image, "Cmd": [_NEVER_RUN], "Entrypoint": []}
    container = cli.engine.ask(containers.create(body))["Id"]
    try:
        with cli.engine.open(containers.export(container)) as answer:
            yield answer.pieces()
    finally:
        cli.engine.ask(containers.remove(container, force=True))


def _local(cli: Cli, image: str, folder: str, *, knarr: bool) -> None:
    with _files(cli, image, knarr=knarr) as pieces:
        _unpack(pieces, folder)


def _unpack(pieces: Iterator[bytes], folder: str) -> None:
    from knarr.cli.copying.unpack import unpack

    os.makedirs(folder, exist_ok=True)
    unpack(pieces, folder, None, content=True, keep_owners=False)


def _write(destination: str, pieces: Iterator[bytes]) -> None:
    if destination == "-":
        if os.isatty(sys.stdout.fileno()):
            raise Unsupported("refusing to write an archive to a terminal: give dest=FILE")
        sys.stdout.flush()
        for piece in pieces:
            sys.stdout.buffer.write(piece)
        sys.stdout.buffer.flush()
        return
    with open(destination, "wb") as file:
        for piece in pieces:
            file.write(piece)


def write_files(image: str, names: tuple[str, ...], *, iidfile: str, metadata_file: str) -> None:
    """The ID by itself, and what came out as JSON."""
    if iidfile:
        with open(iidfile, "w") as file:
            file.write(image)
    if metadata_file:
        metadata: Mapping[str, Any] = {
            "containerimage.config.digest": image,
            "containerimage.digest": image,
            **({"image.name": ",".join(names)} if names else {}),
        }
        with open(metadata_file, "w") as file:
            file.write(dumps(dict(metadata)) + "\n")
