"""Folders that the keeper clears away."""

import os


def remove_folder(path: str) -> None:
    """Remove ``path`` and all in it, links themselves and not what they point to; quiet if gone."""
    for folder, folders, files in os.walk(path, topdown=False):
        for name in files:
            os.unlink(f"{folder}/{name}")
        for name in folders:
            below = f"{folder}/{name}"
            os.unlink(below) if os.path.islink(below) else os.rmdir(below)
    try:
        os.rmdir(path)
    except FileNotFoundError:
        return


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
