"""What the options of the driver ``local`` say: ``type``, ``o`` and ``device``, as for mount(8).

Source: docker volume create reference, "Driver-specific options"; mount(8), mount(2).
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from knarr.errors import InvalidArgument

_KNOWN: Final = ("type", "o", "device", "size")
_NEEDS: Final = {"device": ("type",), "type": ("device",), "o": ("device", "type")}
_ADDRESS: Final = re.compile(r"(?:^|,)addr=([^,]*)")
_PASSWORD: Final = re.compile(r"\b(password|pass)=[^,]*")

# Words of mount(8): the flag of mount(2), and whether the word clears it.
_FLAGS: Final = {
    "ro": (1, False), "rw": (1, True), "nosuid": (2, False), "suid": (2, True),
    "nodev": (4, False), "dev": (4, True), "noexec": (8, False), "exec": (8, True),
    "sync": (16, False), "async": (16, True), "mand": (64, False), "nomand": (64, True),
    "dirsync": (128, False), "noatime": (1024, False), "atime": (1024, True),
    "nodiratime": (2048, False), "diratime": (2048, True), "bind": (4096, False),
    "rbind": (4096 | 16384, False), "silent": (32768, False), "loud": (32768, True),
    "relatime": (1 << 21, False), "norelatime": (1 << 21, True),
    "strictatime": (1 << 24, False), "nostrictatime": (1 << 24, True),
    "lazytime": (1 << 25, False), "nolazytime": (1 << 25, True), "defaults": (0, False),
}  # fmt: skip
BIND: Final = 4096
READ_ONLY: Final = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalMount:
    """What to mount on a volume's data directory. ``flags`` and ``data`` are mount(2)'s.

    host: a name in ``addr=`` that has to be resolved first; empty where there is none.
    """

    kind: str
    device: str
    flags: int
    data: str
    host: str = ""

    @property
    def shown(self) -> str:
        """For messages: without the password of a network share."""
        return _PASSWORD.sub(r"\1=********", f"{self.kind} {self.device} {self.data}".strip())


def check_options(options: Mapping[str, str]) -> None:
    """Raises InvalidArgument in Docker's words."""
    for name in options:
        if name not in _KNOWN:
            raise InvalidArgument(f'invalid option: "{name}"')
    if "size" in options:
        raise InvalidArgument("quota size requested but no quota support")
    for name, needed in _NEEDS.items():
        for other in needed:
            if name in options and not options.get(other):
                raise InvalidArgument(f'missing required option: "{other}"')


def local_mount(options: Mapping[str, str]) -> LocalMount | None:
    """What the options ask to be mounted; None for a plain directory."""
    if not options.get("type") and not options.get("device"):
        return None
    flags, words = 0, []
    for word in filter(None, options.get("o", "").split(",")):
        if word in _FLAGS:
            flag, clears = _FLAGS[word]
            flags = flags & ~flag if clears else flags | flag
        else:
            words.append(word)
    data = ",".join(words)
    return LocalMount(
        kind=options["type"],
        device=options["device"],
        flags=flags,
        data=data,
        host=_host(options["type"], data),
    )


def _host(kind: str, data: str) -> str:
    """The kernel takes addresses alone, so a name has to be resolved for it."""
    found = _ADDRESS.search(data) if kind in ("nfs", "nfs4", "cifs") else None
    return found[1] if found and not re.fullmatch(r"[0-9.]+|[0-9a-fA-F:]+", found[1]) else ""


def with_address(data: str, host: str, address: str) -> str:
    return data.replace(f"addr={host}", f"addr={address}", 1)
