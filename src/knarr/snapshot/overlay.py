"""overlayfs over a chain of lowers, by whichever way this kernel knows.

``lowerdir+`` (Linux 6.7) takes one layer after the other, so a chain may have 500. Before it, all
names together must fit one page of options: short names through /proc/self/fd make that 200.

Off, whatever the kernel's defaults: ``index``; ``redirect_dir`` and ``metacopy``, which would leave
upper directories that cannot be read by walking them. ``xino=auto`` keeps inode numbers apart and
stable where the lowers are of several file systems with inode numbers of 32 bits (ext4, EROFS);
``on`` would do no more there, and has the kernel mark every new directory as opaque, which would
then stand in every committed layer.

Source: Documentation/filesystems/overlayfs.rst.
"""

import os
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

from knarr.kernel import mount

_TEXT_MAX: Final = 255  # bytes of one value in fsconfig
_OFF: Final = ("index", "redirect_dir", "metacopy")


@dataclass(frozen=True, slots=True, kw_only=True)
class Writable:
    """Where changes go: two directories of one file system, ``work`` empty and overlayfs' own."""

    upper: Path
    work: Path
    volatile: bool = False  # nothing is synced, not even when the container asks for it


def mount_overlay(
    target: Path,
    lowers: Sequence[Path],
    writable: Writable | None,
    *,
    id_map: int | None = None,
) -> None:
    """Mount the chain on ``target``; ``lowers`` come topmost first.

    Without ``writable`` it is read-only; a single lower is then mounted as it is, since overlayfs
    wants two. Raises OSError with the kernel's own words.
    id_map: a user namespace (its descriptor) as which the owners of all files are shown; on the
    disk they stay what they are. It has to map the host's root too, who makes overlayfs' own files.
    """
    if id_map is not None:
        _mount_mapped(target, lowers, writable, id_map)
        return
    if len(lowers) == 1 and writable is None:
        _mount_alone(target, lowers[0])
        return
    if not knows_lowerdir_append():
        _mount_in_one_page(target, lowers, writable)
        return
    fd = _detached(lowers, writable)
    try:
        mount.attach(fd, os.fspath(target))
    finally:
        os.close(fd)


def _mount_mapped(
    target: Path, lowers: Sequence[Path], writable: Writable | None, id_map: int
) -> None:
    """overlayfs cannot be id-mapped itself: each layer is, as a mount that only it knows of."""
    with ExitStack() as undo:
        mapped = [_mapped(lower, id_map, undo) for lower in lowers]
        if len(mapped) == 1 and writable is None:
            mount.set_attributes(mapped[0], add=mount.MOUNT_ATTR_RDONLY)
            mount.attach(mapped[0], os.fspath(target))
            return
        with mount.Filesystem("overlay") as overlay:
            overlay.text("source", "knarr")
            for fd in mapped:
                overlay.descriptor("lowerdir+", fd)
            if writable is not None:
                _write_mapped(overlay, writable, id_map, undo)
            _settle(overlay)
            fd = overlay.mount(0 if writable else mount.MOUNT_ATTR_RDONLY)
            undo.callback(os.close, fd)
        mount.attach(fd, os.fspath(target))


def _write_mapped(
    overlay: mount.Filesystem, writable: Writable, id_map: int, undo: ExitStack
) -> None:
    """Both directories through one mount: overlayfs wants them to be of the same."""
    assert writable.upper.parent == writable.work.parent
    both = _mapped(writable.upper.parent, id_map, undo)
    for option, path in (("upperdir", writable.upper), ("workdir", writable.work)):
        fd = os.open(path.name, os.O_PATH | os.O_DIRECTORY, dir_fd=both)
        undo.callback(os.close, fd)
        overlay.descriptor(option, fd)
    if writable.volatile:
        overlay.flag("volatile")


def _mapped(path: Path, id_map: int, undo: ExitStack) -> int:
    fd = mount.open_tree(os.fspath(path))
    undo.callback(os.close, fd)
    mount.id_map(fd, id_map)
    return fd


def _settle(overlay: mount.Filesystem) -> None:
    for name in _OFF:
        overlay.text(name, "off")
    overlay.text("xino", "auto")


def _mount_alone(target: Path, lower: Path) -> None:
    fd = mount.open_tree(os.fspath(lower))
    try:
        mount.set_attributes(fd, add=mount.MOUNT_ATTR_RDONLY)
        mount.attach(fd, os.fspath(target))
    finally:
        os.close(fd)


@contextmanager
def view(lowers: Sequence[Path], scratch: Path) -> Iterator[int]:
    """The merged lowers for the length of a block, read-only, as a directory's descriptor.

    ``scratch`` is a folder in which an old kernel needs a mount point for it.
    """
    with ExitStack() as undo:
        if not lowers:
            lowers = (_empty(scratch),)
        if len(lowers) == 1:
            fd = os.open(lowers[0], os.O_RDONLY | os.O_DIRECTORY)
        elif knows_lowerdir_append():
            fd = _detached(lowers, None)
        else:
            point = _empty(scratch)
            undo.callback(point.rmdir)
            _mount_in_one_page(point, lowers, None)
            undo.callback(mount.unmount, os.fspath(point), lazy=True)
            fd = os.open(point, os.O_RDONLY | os.O_DIRECTORY)
        undo.callback(os.close, fd)
        yield fd


def _empty(scratch: Path) -> Path:
    folder = scratch / f"empty-{os.getpid()}-{os.urandom(4).hex()}"
    folder.mkdir(parents=True)
    return folder


def _detached(lowers: Sequence[Path], writable: Writable | None) -> int:
    with mount.Filesystem("overlay") as overlay, ExitStack() as undo:
        overlay.text("source", "knarr")
        for lower in lowers:
            overlay.text("lowerdir+", _short(lower, undo))
        if writable is not None:
            overlay.text("upperdir", _short(writable.upper, undo))
            overlay.text("workdir", _short(writable.work, undo))
            if writable.volatile:
                overlay.flag("volatile")
        _settle(overlay)
        return overlay.mount(0 if writable else mount.MOUNT_ATTR_RDONLY)


def _short(path: Path, undo: ExitStack) -> str:
    """The path itself, or a short one through a descriptor that stays open until then."""
    text = os.fspath(path)
    return text if len(os.fsencode(text)) <= _TEXT_MAX else _through_descriptor(path, undo)


def _through_descriptor(path: Path, undo: ExitStack) -> str:
    fd = os.open(path, os.O_PATH | os.O_DIRECTORY)
    undo.callback(os.close, fd)
    return f"/proc/self/fd/{fd}"


def _mount_in_one_page(target: Path, lowers: Sequence[Path], writable: Writable | None) -> None:
    with ExitStack() as undo:
        options = [f"lowerdir={':'.join(_through_descriptor(each, undo) for each in lowers)}"]
        if writable is not None:
            options.append(f"upperdir={_through_descriptor(writable.upper, undo)}")
            options.append(f"workdir={_through_descriptor(writable.work, undo)}")
            options += ["volatile"] if writable.volatile else []
        options += [f"{name}=off" for name in _OFF] + ["xino=auto"]
        flags = 0 if writable else mount.MS_RDONLY
        mount.mount("knarr", os.fspath(target), "overlay", flags, ",".join(options))


@cache
def knows_lowerdir_append() -> bool:
    """Whether this kernel takes layers one by one; asked by trying.

    Before Linux 6.5 overlayfs hears its options only when it is made: until then anything is
    taken, and such a kernel gives itself away by a key that nobody knows.
    """
    return _takes("lowerdir+", "/") and not _takes("no-such-option", "")


def _takes(key: str, value: str) -> bool:
    try:
        with mount.Filesystem("overlay") as overlay:
            overlay.text(key, value)
    except OSError:
        return False
    return True
