"""Whether a process gets our terminal, and how a container that runs already gets it."""

from __future__ import annotations

import os
from collections.abc import Iterable

from knarr.cli.attached import DETACH_KEYS
from knarr.cli.cli import Cli
from knarr.cli.commands.container.exec import exec_ as run_in_container
from knarr.cli.running import run_attached
from knarr.client.calls import containers
from knarr.compose.engine import Engines
from knarr.errors import KnarrError
from knarr.spec.docker.container import ContainerInspect, ContainerSummary

SHELL = "sh"


def wants_terminal(cli: Cli, *, no_tty: bool, tty: bool, fds: Iterable[int]) -> bool:
    """What the flags say, else whether all the descriptors are terminals."""
    if "no_tty" in cli.given:
        return not no_tty
    if "tty" in cli.given:
        return tty
    return all(os.isatty(fd) for fd in fds)


def open_terminal(cli: Cli, engines: Engines, container: ContainerSummary) -> None:
    """The container's own terminal where it has one, else a shell beside its program."""
    found = engines.ask(containers.inspect(container.id), ContainerInspect).config
    if found is None or not (found.tty and found.open_stdin):
        run_in_container(cli, container.id, SHELL, interactive=True, tty=True)
        return
    run_attached(
        cli, container.id, attach=frozenset({"stdin", "stdout", "stderr"}), tty=True,
        keys=DETACH_KEYS, signals=False, removed=False, refused=_unchanged, start=False,
    )  # fmt: skip


def _unchanged(error: KnarrError) -> KnarrError:
    return error
