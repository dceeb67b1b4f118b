"""What is needed beside the engine to carry a plan out."""

from collections.abc import Callable
from dataclasses import dataclass

from knarr.compose.actions import BuildImage, PullImage, RunProvider
from knarr.compose.container_actions import StartContainer
from knarr.compose.files import Files
from knarr.compose.report import Report, unheard


@dataclass(frozen=True, slots=True, kw_only=True)
class Means:
    """Ways to read files, to tell what happens, to build and to fetch; and the limits."""

    files: Files
    report: Report = unheard
    warn: Callable[[str], None] = lambda _: None  # what the engine cannot do of what a file says
    output: Callable[[str, bytes], None] = lambda _, __: None  # what hooks write, by container
    pull: Callable[[PullImage], None] | None = None
    build: Callable[[BuildImage], None] | None = None
    provide: Callable[[RunProvider], None] | None = None
    started: Callable[[StartContainer, str], None] = lambda _, __: None  # and its id
    separator: str = "-"
    env_files: tuple[str, ...] = ()
    at_once: int = 16
    wait_timeout: float | None = None  # seconds
