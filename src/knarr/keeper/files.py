"""Folders that the keeper clears away."""

import os
from contextlib import suppress
from typing import Final

_FOLDER: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


def remove_folder(path: str) -> None:
    """Remove ``path`` and all in it, links themselves and not what they point to; quiet if gone.

    What is mounted in it stays, with the folders above: a container that has ended may have its
    root mounted once more by then, for somebody who copies out of it.
    """
    try:
        folder = os.open(path, _FOLDER)
    except FileNotFoundError:
        return
    try:
        _empty(folder, os.fstat(folder).st_dev)
    finally:
        os.close(folder)
    with suppress(OSError):
        os.rmdir(path)


def _empty(folder: int, device: int) -> None:
    """Every folder is looked at once it is open: what is mounted later is not what we have open."""
    for name in os.listdir(folder):
        try:
            inner = os.open(name, _FOLDER, dir_fd=folder)
        except FileNotFoundError:
            continue
        except OSError:  # no folder
            with suppress(FileNotFoundError):
                os.unlink(name, dir_fd=folder)
            continue
        try:
            if os.fstat(inner).st_dev != device:
                continue
            _empty(inner, device)
        finally:
            os.close(inner)
        with suppress(OSError):
            os.rmdir(name, dir_fd=folder)


def copy_file(source: str, target: str) -> None:
    """A small file, whole or not at all; that it cannot be copied is nobody's trouble."""
    try:
        with open(source, "rb") as there:
            content = there.read()
        with open(f"{target}.new", "wb") as copy:
            copy.write(content)
        os.rename(f"{target}.new", target)
    except OSError:
        return
