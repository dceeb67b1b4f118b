"""Where an archive goes: a file, whole or not at all, or standard output if that is no terminal."""

from __future__ import annotations

import os
import stat
import tempfile
from collections.abc import Iterable

from knarr.cli.attached import STDOUT_FD, write_all
from knarr.cli.cli import Cli
from knarr.errors import InvalidArgument, KnarrError


def write_archive(cli: Cli, pieces: Iterable[bytes], path: str) -> None:
    """Write the pieces to ``path``, or to standard output where it is empty."""
    if not path:
        cli.out.flush()
        for piece in pieces:
            write_all(STDOUT_FD, piece)
        return
    if os.path.exists(path) and not stat.S_ISREG(os.stat(path).st_mode):
        with open(path, "wb", buffering=0) as device:  # /dev/null, a named pipe
            for piece in pieces:
                write_all(device.fileno(), piece)
        return
    _write_file(pieces, path)


def _write_file(pieces: Iterable[bytes], path: str) -> None:
    folder = os.path.dirname(path) or "."
    descriptor, temporary = tempfile.mkstemp(dir=folder, prefix=f".{os.path.basename(path)}-")
    try:
        with os.fdopen(descriptor, "wb", buffering=0) as file:
            for piece in pieces:
                write_all(file.fileno(), piece)
            os.fchmod(file.fileno(), 0o600)
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise


def check_output(path: str, problem: str) -> None:
    """Refuse a place that an archive cannot go to, before the engine is asked for it."""
    if not path:
        if os.isatty(STDOUT_FD):
            raise KnarrError("cowardly refusing to save to a terminal. Use the -o flag or redirect")
        return
    folder = os.path.dirname(os.path.abspath(path))
    if not os.path.isdir(folder):
        raise InvalidArgument(
            f"{problem}: invalid output path: stat {folder}: no such file or directory"
        )
    if os.path.isdir(path):
        raise InvalidArgument(f"{problem}: cannot write to a directory")
