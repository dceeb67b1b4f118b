import io
import json
import sys
import tarfile
import zipfile

from knarr.cli.cli import Cli
from knarr.cli.command import command
from knarr.cli.contexts import TLS_FILES, Context, ContextStore, check_name
from knarr.errors import Conflict, InvalidArgument

LIMIT = 10 * 1024 * 1024  # bytes of an archive and of each file in it


@command("context import", usage="CONTEXT FILE|-")
def import_(cli: Cli, context: str, file: str) -> None:
    """Make a context of a tar or zip archive"""
    check_name(context)
    store = ContextStore(cli.config_folder)
    if store.exists(context):
        raise Conflict(f'context "{context}" already exists')
    files = _files(_read(file))
    if "meta.json" not in files:
        raise InvalidArgument("invalid context: no metadata found")
    try:
        found = Context.of(json.loads(files["meta.json"]))
    except (ValueError, AttributeError) as error:
        raise InvalidArgument(f"invalid context: {error}") from error
    store.put(Context(name=context, description=found.description, host=found.host,
                      skip_verify=found.skip_verify, metadata=found.metadata))  # fmt: skip
    store.put_tls(
        context,
        {name: files[path] for name in TLS_FILES if (path := f"tls/docker/{name}") in files},
    )
    cli.print(context)
    cli.warn(f'Successfully imported context "{context}"')


def _read(file: str) -> bytes:
    if file == "-":
        content = sys.stdin.buffer.read(LIMIT + 1)
    else:
        try:
            with open(file, "rb") as source:
                content = source.read(LIMIT + 1)
        except OSError as error:
            raise InvalidArgument(f"open {file}: {(error.strerror or '').lower()}") from error
    if len(content) > LIMIT:
        raise InvalidArgument("the archive is too large: 10 MB at most")
    return content


def _files(content: bytes) -> dict[str, bytes]:
    """The files that belong to a context; an archive with anything else is refused."""
    found: dict[str, bytes] = {}
    try:
        if content.startswith(b"PK"):
            with zipfile.ZipFile(io.BytesIO(content)) as archive:
                for entry in archive.infolist():
                    if not entry.is_dir() and entry.file_size <= LIMIT:
                        found[_checked(entry.filename)] = archive.read(entry)
            return found
        with tarfile.open(fileobj=io.BytesIO(content)) as tar:
            for member in tar:
                source = tar.extractfile(member) if member.isreg() else None
                if source is not None and member.size <= LIMIT:
                    found[_checked(member.name)] = source.read()
    except (tarfile.TarError, zipfile.BadZipFile) as error:
        raise InvalidArgument(f"unexpected context file: {error}") from error
    return found


def _checked(name: str) -> str:
    parts = name.split("/")
    allowed = name == "meta.json" or (parts[:2] == ["tls", "docker"] and parts[2:3] != [])
    if not allowed or ".." in parts:
        raise InvalidArgument(f"unexpected context file: {name}")
    return name
