"""RUN: a process in a root file system, with what is mounted into it."""

from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar


class Sharing(StrEnum):
    """Who may use a cache mount while another step has it."""

    SHARED = "shared"  # everybody
    PRIVATE = "private"  # nobody: a further user gets a new one
    LOCKED = "locked"  # nobody: a further user waits


@dataclass(frozen=True, slots=True, kw_only=True)
class BindMount:
    """Files of one of the vertex' inputs; what is written there is thrown away.

    input: which of the vertex' inputs, counted from 1.
    source: path inside the input.
    """

    target: str
    input: int
    source: str = "/"
    read_only: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class CacheMount:
    """A directory that is kept from build to build, and is no part of any layer.

    input: whose files a new one begins with, 0 for none.
    """

    target: str
    id: str
    sharing: Sharing = Sharing.SHARED
    input: int = 0
    source: str = "/"
    read_only: bool = False
    mode: int = 0o755
    uid: int = 0
    gid: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class TmpfsMount:
    """Memory. size_bytes: its ceiling, 0 for none."""

    target: str
    size_bytes: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class SecretMount:
    """Something that the client knows, as a file, a variable, or both.

    target: empty where only the variable is wanted.
    """

    id: str
    target: str = ""
    env: str = ""
    required: bool = False
    mode: int = 0o400
    uid: int = 0
    gid: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class SshMount:
    """The client's SSH agent, as a socket."""

    target: str
    id: str = "default"
    required: bool = False
    mode: int = 0o600
    uid: int = 0
    gid: int = 0


Mount = BindMount | CacheMount | TmpfsMount | SecretMount | SshMount


@dataclass(frozen=True, slots=True, kw_only=True)
class Execute:
    """Run ``argv`` on the first input; what it leaves behind is the layer.

    env: ``NAME=value``, what the image says and the ARGs in scope.
    network: default, none, host, or the name of a network.
    insecure: with all privileges, where the client allows that.
    """

    kind: ClassVar[str] = "run"
    argv: tuple[str, ...]
    env: tuple[str, ...] = ()
    cwd: str = "/"
    user: str = ""
    mounts: tuple[Mount, ...] = ()
    network: str = "default"
    insecure: bool = False
    hostname: str = ""

    @property
    def rights(self) -> tuple[str, ...]:
        """What it may only have where the client grants it, in BuildKit's words."""
        asked = ((self.network == "host", "network.host"), (self.insecure, "security.insecure"))
        return tuple(right for wanted, right in asked if wanted)

    def describe(self) -> str:
        return " ".join(self.argv)
