"""The options of a tmpfs: defaults, and what was asked for, each thing said once.

Source: docker run reference, ``--tmpfs``; tmpfs(5).
"""

from typing import Final

from knarr.errors import InvalidArgument
from knarr.spec.record import MountPlan

PROPAGATIONS: Final = ("private", "rprivate", "shared", "rshared", "slave", "rslave")
DEFAULT_PROPAGATION: Final = "rprivate"

# Of each pair the later word counts.
_TMPFS_SWITCHES: Final = (
    ("ro", "rw"), ("nosuid", "suid"), ("nodev", "dev"), ("noexec", "exec"), ("sync", "async"),
    ("noatime", "atime"), ("nodiratime", "diratime"), ("relatime", "norelatime"),
    ("strictatime", "nostrictatime"), ("mand", "nomand"), ("dirsync",),
    (*PROPAGATIONS, "unbindable", "runbindable"),
)  # fmt: skip
_TMPFS_VALUES: Final = ("size", "mode", "uid", "gid", "nr_inodes", "nr_blocks", "mpol")


def tmpfs_options(plan: MountPlan) -> tuple[str, ...]:
    """The defaults and what was asked for, each thing said once. Raises InvalidArgument."""
    words = ["noexec", "nosuid", "nodev", DEFAULT_PROPAGATION]
    words += ["ro"] if plan.read_only else []
    words += filter(None, plan.options.split(","))
    said: dict[object, str] = {}
    for word in words:
        if word == "defaults":
            continue
        key = _tmpfs_key(word)
        said.pop(key, None)
        said[key] = word
    return tuple(said.values())


def _tmpfs_key(word: str) -> object:
    for switch in _TMPFS_SWITCHES:
        if word in switch:
            return switch
    name, equals, _ = word.partition("=")
    if equals and name in _TMPFS_VALUES:
        return name
    raise InvalidArgument(f'invalid tmpfs option "{name}"')
