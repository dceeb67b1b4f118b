import io
import json
import os
import sys
import tarfile

from knarr.cli.cli import Cli
from knarr.cli.command import command
from knarr.cli.contexts import ContextStore
from knarr.errors import Conflict, InvalidArgument


@command("context export", usage="CONTEXT [FILE|-]")
def export(cli: Cli, context: str, file: str = "") -> None:
    """Write a context to a tar archive"""
    store = ContextStore(cli.config_folder)
    files = {"meta.json": json.dumps(store.get(context).document()).encode()}
    files |= {f"tls/docker/{name}": text for name, text in store.tls_files(context).items()}
    archive = _archive(files)
    if file == "-":
        if os.isatty(sys.stdout.fileno()):
            raise InvalidArgument("cowardly refusing to export to a terminal, specify a file path")
        cli.out.flush()
        sys.stdout.buffer.write(archive)
        return
    path = file or f"{context}.dockercontext"
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError as error:
        raise Conflict(f"open {path}: file exists") from error
    with os.fdopen(descriptor, "wb") as out:
        out.write(archive)
    cli.warn(f'Written file "{path}"')


def _archive(files: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for name, content in files.items():
            if name == "tls/docker/ca.pem" or (
                name.startswith("tls/") and "tls" not in tar.getnames()
            ):
                for folder in ("tls", "tls/docker"):
                    entry = tarfile.TarInfo(folder)
                    entry.type, entry.mode = tarfile.DIRTYPE, 0o700
                    tar.addfile(entry)
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(content), 0o644 if name == "meta.json" else 0o600
            tar.addfile(entry, io.BytesIO(content))
    return out.getvalue()
