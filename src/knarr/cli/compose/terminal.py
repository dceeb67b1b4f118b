"""Whether a process gets a terminal: by default, where we have one ourselves."""

from __future__ import annotations

import os
from collections.abc import Iterable

from knarr.cli.cli import Cli


def wants_terminal(cli: Cli, *, no_tty: bool, tty: bool, fds: Iterable[int]) -> bool:
    """What the flags say, else whether all the descriptors are terminals."""
    if "no_tty" in cli.given:
        return not no_tty
    if "tty" in cli.given:
        return tty
    return all(os.isatty(fd) for fd in fds)
