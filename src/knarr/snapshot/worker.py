"""A program: prepares one layer for mounting, in a process of its own.

    python -SI worker.py SNAPSHOTTER FOLDER MEMBERS BYTES

FOLDER holds the layer's tar. Prints ``done``, the bytes of files and the number of entries; or the
kind of failure and, from the next line on, its sentence. So the daemon's interpreter stays free for
its clients, its memory does not grow with a layer, and hostile archives are read where little can
be done: without capabilities that this does not need, with the folder as the root of the file
system, and with a bound on memory.

It begins with few imports, for it is started for each layer: the doors of the rooms it comes from
(databases, event loops) are shut, and what only one snapshotter needs is loaded for that alone.
"""

import mmap
import os
import resource
import sys
from contextlib import suppress
from types import ModuleType
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

    from knarr.snapshot.contents import Contents
    from knarr.snapshot.tar import Limits

_ROOT: Final = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
_MEMORY_BYTES: Final = 2 << 30
_INDEX: Final = "tar+erofs"
_SHUT: Final = ("knarr", "knarr.content", "knarr.snapshot", "knarr.snapshot.erofs")


def _shut_doors() -> None:
    """Packages whose ``__init__`` is not run: their modules are imported one by one."""
    for name in _SHUT:
        package = ModuleType(name)
        package.__path__ = [os.path.join(_ROOT, *name.split("."))]
        sys.modules[name] = package


def main(argv: list[str]) -> str:
    from knarr.errors import KnarrError
    from knarr.snapshot.tar import Limits

    name, folder, members, content_bytes = argv
    limits = Limits(members=int(members), content_bytes=int(content_bytes))
    try:
        contents = _prepared(name, folder, limits)
    except KnarrError as error:
        return f"{type(error).__name__}\n{error}"
    except MemoryError:
        return "InvalidArgument\nthe layer takes too much memory"
    return f"done {contents.content_bytes} {contents.entries}"


def _prepared(name: str, folder: str, limits: "Limits") -> "Contents":
    build = _builder(name)
    with open(os.path.join(folder, "layer.tar"), "rb") as file:
        size = os.fstat(file.fileno()).st_size
        data = mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ) if size else b""
    _fence(folder)
    return build(memoryview(data), limits)


def _builder(name: str) -> "Callable[[memoryview, Limits], Contents]":
    """What prepares the present folder; all that it imports is imported now, before the fence."""
    if name == _INDEX:
        from knarr.snapshot.erofs.build import build_index

        return lambda tar, limits: build_index(tar, "", limits)
    from pathlib import Path

    from knarr.snapshot.unpacked import build_tree

    return lambda tar, limits: build_tree(tar, Path(), limits, umask=0)


def _fence(folder: str) -> None:
    """What can be given up; a daemon that is not root has none of it to give."""
    from knarr.kernel import capabilities as caps

    os.umask(0)
    resource.setrlimit(resource.RLIMIT_DATA, (_MEMORY_BYTES, _MEMORY_BYTES))
    with suppress(PermissionError):
        os.chroot(folder)
    os.chdir("/" if os.path.exists("/layer.tar") else folder)
    caps.no_new_privileges()
    with suppress(PermissionError):
        caps.keep_only(
            (caps.CHOWN, caps.DAC_OVERRIDE, caps.FOWNER, caps.FSETID, caps.SYS_ADMIN, caps.MKNOD,
             caps.SETFCAP)
        )  # fmt: skip


if __name__ == "__main__":
    _shut_doors()
    print(main(sys.argv[1:]), end="")
