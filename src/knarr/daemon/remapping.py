"""``--userns-remap``: from what was asked for to a namespace that is there and tried."""

import grp
import os
import pwd
import shutil
import tempfile
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Final

from knarr.container.remap import Remap
from knarr.daemon.subids import spans_of
from knarr.errors import InvalidArgument, Unsupported
from knarr.kernel import mount
from knarr.kernel.owners import Owners
from knarr.runtime import Keeper
from knarr.snapshot.overlay import Writable, mount_overlay

_DEFAULTS: Final = ("knarr-remap", "dockremap")
_UIDS, _GIDS = "/etc/subuid", "/etc/subgid"


async def prepared_remap(
    owners: Owners | None, keeper: Keeper, data_root: Path, run_root: Path
) -> Remap | None:
    """None where nothing is asked for.

    Raises Unsupported where this kernel or the file system of the data root cannot show files
    mapped, InvalidArgument where a mapped root could not reach its own files.
    """
    if owners is None:
        return None
    for folder in (data_root, run_root):
        _check_passable(folder)
    namespace = await keeper.user_namespace(owners.for_mounts())
    try:
        _try(data_root, namespace.descriptor)
    except OSError as error:
        os.close(namespace.descriptor)
        raise Unsupported(
            f"--userns-remap needs overlayfs over id-mapped mounts of {data_root}, which this"
            f" kernel or file system cannot do: {error.strerror}"
        ) from error
    return Remap(owners=owners, id_map=namespace.descriptor)


def _check_passable(folder: Path) -> None:
    for each in (folder, *folder.parents):
        if not each.stat().st_mode & 0o001:
            raise InvalidArgument(
                f"--userns-remap: root in a container is nobody who may pass {each}, on the way to"
                f" {folder}: chmod o+x {each}"
            )


def owners_of(wanted: str) -> Owners | None:
    """The ranges of ``default``, ``USER``, ``USER:GROUP``, by name or number; None of nothing.

    Raises InvalidArgument with the line that is missing.
    """
    if not wanted:
        return None
    user, colon, group = (wanted if wanted != "default" else _default()).partition(":")
    if not user or (colon and not group):
        raise InvalidArgument(f"--userns-remap {wanted}: write USER or USER:GROUP")
    return Owners(
        spans_of(_text(_UIDS), _user_names(user), _UIDS),
        spans_of(_text(_GIDS), _group_names(group) if group else _user_names(user), _GIDS),
    )


def _default() -> str:
    """The first of the usual names that has a range."""
    given = {line.partition(":")[0] for line in _text(_UIDS).splitlines()}
    return next((name for name in _DEFAULTS if name in given), _DEFAULTS[0])


def _text(path: str) -> str:
    try:
        return Path(path).read_text()
    except FileNotFoundError:
        return ""


def _user_names(user: str) -> set[str]:
    """How the files may call him; he need not have an account of his own."""
    with suppress(KeyError):
        found = pwd.getpwuid(int(user)) if user.isdigit() else pwd.getpwnam(user)
        return {user, found.pw_name, str(found.pw_uid)}
    return {user}


def _group_names(group: str) -> set[str]:
    with suppress(KeyError):
        found = grp.getgrgid(int(group)) if group.isdigit() else grp.getgrnam(group)
        return {group, found.gr_name, str(found.gr_gid)}
    return {group}


def _try(data_root: Path, id_map: int) -> None:
    """A tiny root with something written to it. Raises OSError in the kernel's words."""
    with ExitStack() as undo:
        folder = Path(tempfile.mkdtemp(prefix="remap-", dir=data_root))
        undo.callback(shutil.rmtree, folder, ignore_errors=True)
        for name in ("lower", "root", "own/upper", "own/work"):
            (folder / name).mkdir(parents=True)
        writable = Writable(upper=folder / "own/upper", work=folder / "own/work", volatile=True)
        mount_overlay(folder / "root", [folder / "lower"], writable, id_map=id_map)
        undo.callback(mount.unmount, os.fspath(folder / "root"), lazy=True)
        (folder / "root" / "file").touch()
