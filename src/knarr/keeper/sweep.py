"""Control groups after their process: emptied of what outlived it, then removed."""

import os
import signal
from collections.abc import Callable
from functools import partial
from typing import Final

from knarr.keeper.loop import Loop
from knarr.kernel.cgroups import Cgroup

_AGAIN_SECONDS: Final = 0.02
_ATTEMPTS: Final = 250  # a process in the kernel's hands may take seconds to die


class Sweeper:
    """Removes groups; those that are still busy a little later, out of anybody's way."""

    def __init__(self, loop: Loop) -> None:
        self._loop = loop
        self._busy: dict[str, Cgroup] = {}

    def sweep(self, group: Cgroup) -> None:
        """Kill what is left in ``group`` (there is something where PIDs are shared), remove it."""
        self._busy[group.path] = group
        self._try(group, _ATTEMPTS)

    def finish(self, then: Callable[[], None]) -> None:
        """Call ``then`` once nothing is left to be removed."""
        if self._busy:
            self._loop.call_later(_AGAIN_SECONDS, partial(self.finish, then))
        else:
            then()

    def spare(self, path: str) -> None:
        """The group at ``path`` is about to be used again."""
        self._busy.pop(path, None)

    def _try(self, group: Cgroup, attempts: int) -> None:
        if self._busy.get(group.path) is not group:
            return
        if group.remove() or not attempts:
            del self._busy[group.path]
            return
        _kill_all(group)
        self._loop.call_later(_AGAIN_SECONDS, partial(self._try, group, attempts - 1))


def _kill_all(group: Cgroup) -> None:
    try:
        for pid in group.processes():
            os.kill(pid, signal.SIGKILL)
    except (FileNotFoundError, ProcessLookupError):
        return  # the next attempt sees to the rest
