"""Starting a program in a control group, with the stdio it shall have."""

import json
import os
import signal
from collections.abc import Sequence
from typing import Final, NamedTuple, NoReturn

from knarr.kernel.namespaces import hide_mount

_FAILED: Final = 125
_OOM_SCORE: Final = "/proc/self/oom_score_adj"


class Hidden(NamedTuple):
    """A mount that the program shall not see, and the mount point that it is mounted in."""

    path: str
    parent: str


class Order(NamedTuple):
    """What to run. ``error_log`` is the file that the program itself writes its failure into."""

    argv: list[str]
    environment: dict[str, str]
    directory: str
    error_log: str
    hidden: Hidden | None


def spawn(
    order: Order, executable: int | str, stdio: tuple[int, int, int], entrances: Sequence[int]
) -> int:
    """Fork, enter the groups behind ``entrances``, become the program; its PID.

    executable: a path or a descriptor; the order's ``argv[0]`` is no more than a name then.
    A fork, not a spawn: only a process that writes "0" for itself moves without an RCU grace
    period (kernel/cgroups.py), and the keeper must not go into a group that may be frozen or full.
    What fails between fork and exec is written where the program would write it.
    """
    pid = os.fork()
    if pid == 0:
        _become(order, executable, stdio, entrances)
    return pid


def _become(
    order: Order, executable: int | str, stdio: tuple[int, int, int], entrances: Sequence[int]
) -> NoReturn:
    try:
        os.setsid()
        os.umask(0o022)  # groups that the runtime makes: a root that is nobody reads its own
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # which Python ignores
        lose_protection()
        for entrance in entrances:
            os.write(entrance, b"0")
        if order.hidden is not None:
            hide_mount(order.hidden.path, order.hidden.parent)
        os.chdir(order.directory)
        for target, descriptor in enumerate(stdio):
            os.dup2(descriptor, target)
        os.execve(executable, order.argv, order.environment)
    except OSError as error:
        line = json.dumps({"level": "error", "msg": f"{order.argv[0]}: {error}"})
        with open(order.error_log, "a", encoding="utf-8") as file:
            file.write(line + "\n")
    finally:
        os._exit(_FAILED)


def lose_protection(path: str = _OOM_SCORE) -> None:
    """Be as good a victim as any when memory runs out, though the keeper is spared.

    crun takes a score of 0 for none given, and containers would have the keeper's.
    """
    with open(path, "rb") as file:
        spared = file.read().startswith(b"-")
    if spared:
        with open(path, "wb") as file:
            file.write(b"0")
