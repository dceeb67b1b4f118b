"""What becomes of an image besides its place in the engine's store: files, folders, archives."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final, NamedTuple

from knarr.cli.cli import Cli
from knarr.client.calls import containers, images
from knarr.client.lean import dumps
from knarr.errors import InvalidArgument, Unsupported

_STORED: Final = frozenset({"image", "registry", "cacheonly"})
_NEVER_RUN: Final = "/"  # a container that is made for its files has to have some command


class Output(NamedTuple):
    """``--output``: type and destination."""

    type: str
    destination: str = ""
    push: bool = False

    @classmethod
    def parse(cls, text: str) -> Output:
        """``type=tar,dest=x.tar``, a folder, or ``-``. Raises InvalidArgument."""
        if "=" not in text:
            return cls(type="tar", destination="-") if text == "-" else cls(
                type="local", destination=text
            )  # fmt: skip
        fields = {name: value for name, _, value in (f.partition("=") for f in text.split(","))}
        kind = fields.get("type", "")
        if kind not in {"local", "tar", "oci", "docker", *_STORED}:
            raise InvalidArgument(f'unknown exporter "{kind}"' if kind else "type is required for "
                                  "output")  # fmt: skip
        destination = fields.get("dest", "")
        if kind == "local" and not destination:
            raise InvalidArgument("dest is required for local output")
        if kind in {"tar", "oci"} and not destination:
            destination = "-"
        return cls(
            type=kind,
            destination=destination,
            push=kind == "registry" or fields.get("push") == "true",
        )


def keep(cli: Cli, image: str, outputs: tuple[Output, ...], *, knarr: bool) -> None:
    """Write each of them. Raises KnarrError, OSError."""
    for output in outputs:
        match output.type:
            case "local":
                _local(cli, image, output.destination, knarr=knarr)
            case "tar":
                with _files(cli, image, knarr=knarr) as pieces:
                    _write(output.destination, pieces)
            case "oci" | "docker" if output.destination:
                with cli.engine.open(images.save((image,))) as answer:
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
    os.makedirs(folder, exist_ok=True)
    with _files(cli, image, knarr=knarr) as pieces:
        from knarr.cli.copying.unpack import unpack

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
