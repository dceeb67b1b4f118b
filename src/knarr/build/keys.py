"""What an operation's result depends on, by name: the cache's key, and what explains a miss.

Pure. Times of files do not count, nor do secrets, proxies and the contents of cache mounts.
"""

import zlib
from collections.abc import Iterator, Mapping
from typing import Final

import msgspec

from knarr.build.graph import Operation, digest_of
from knarr.build.ops import (
    BindMount,
    CacheMount,
    Copy,
    Execute,
    MakeDirectory,
    Mount,
    SecretMount,
    SshMount,
    TmpfsMount,
)
from knarr.ids import Digest

BASE: Final = "base"
_FILE: Final = "file "
FILES_TOLD: Final = 20_000  # more are told as one

Inputs = Mapping[str, str]


def operation_inputs(op: Operation) -> dict[str, str]:
    """What the operation itself says."""
    match op:
        case Execute():
            return _of_execute(op)
        case Copy():
            said = (op.selections, op.destination, op.exclude, op.parents, op.follow)
            return {"instruction": digest_of(said), "--chown": op.owner, "--chmod": op.mode}
        case MakeDirectory():
            return {"instruction": digest_of(op.path, op.mode), "owner": op.owner}
        case _:
            return {"instruction": digest_of(op.kind)}


def _of_execute(op: Execute) -> dict[str, str]:
    env = dict(pair.partition("=")[::2] for pair in op.env)
    return {
        "command": digest_of(op.argv),
        **{f"variable {name}": digest_of(value) for name, value in env.items()},
        "working directory": op.cwd,
        "user": op.user,
        "network": op.network,
        "security": "insecure" if op.insecure else "sandbox",
        "hostname": op.hostname,
        **{f"mount {_place(mount)}": digest_of(_said(mount)) for mount in op.mounts},
    }


def _place(mount: Mount) -> str:
    return mount.env if isinstance(mount, SecretMount) and not mount.target else mount.target


def _said(mount: Mount) -> tuple[object, ...]:
    match mount:
        case BindMount():
            return ("bind", mount.source, mount.read_only)
        case CacheMount():
            return ("cache", mount.id, mount.read_only)
        case TmpfsMount():
            return ("tmpfs",)
        case SecretMount():
            return ("secret", mount.id, mount.env, mount.mode, mount.uid, mount.gid)
        case SshMount():
            return ("ssh", mount.id)


def key_of(op: Operation, inputs: Inputs) -> Digest:
    return digest_of(op.kind, dict(inputs))


# Explaining a miss


def pack(inputs: Inputs, files: Mapping[str, str]) -> bytes:
    """Inputs and the files among them, small enough to be kept."""
    told = dict(inputs)
    if len(files) <= FILES_TOLD:
        told |= {_FILE + path: digest for path, digest in files.items()}
    return zlib.compress(msgspec.json.encode(told), 1)


def unpack(raw: bytes) -> dict[str, str]:
    return msgspec.json.decode(zlib.decompress(raw), type=dict[str, str])


def explained(before: Inputs, after: Inputs) -> str:
    """Why a step has to be done again, in a few words: the one input that changed, if it is one."""
    changes = list(_changes(before, after))
    files = [each for each in changes if each[1].startswith(_FILE)]
    others = [each for each in changes if not each[1].startswith((_FILE, "files "))]
    own = [each for each in others if each[1] != BASE]
    if own:
        return "; ".join(_sentence(*each) for each in own[:3])
    if files:
        more = f" and {len(files) - 1} more" if len(files) > 1 else ""
        return _sentence(*files[0]) + more
    if any(name == BASE for _, name in others):
        return "what it stands on changed"
    if changes:
        return "the files it copies changed"
    return "nothing it depends on changed; the cache no longer had it"


def _changes(before: Inputs, after: Inputs) -> Iterator[tuple[str, str]]:
    for name in sorted(before.keys() | after.keys()):
        if name not in before:
            yield "new", name
        elif name not in after:
            yield "gone", name
        elif before[name] != after[name]:
            yield "changed", name


def _sentence(what: str, name: str) -> str:
    name = f"the {name}" if name in {"command", "instruction", "user", "network"} else name
    return {"new": f"{name} is new", "gone": f"{name} is gone"}.get(what, f"{name} changed")
