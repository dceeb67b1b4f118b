"""The projects in ``examples/``, run from a copy by knarr's own Compose."""

import shutil
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, TypeVar

from support.composes import Compose, knarrs
from support.daemon import Daemon

EXAMPLES: Final = Path(__file__).parent.parent.parent / "examples"
_PATIENCE_S: Final = 60.0
_Found = TypeVar("_Found")


class Sample:
    """One project in a folder of its own."""

    def __init__(self, compose: Compose, folder: Path) -> None:
        self._compose, self.folder = compose, folder

    def __call__(self, *words: str, timeout: float = 120) -> str:
        """``compose WORDS``: its standard output; it must succeed."""
        return self._compose.run(self.folder, *words, timeout=timeout)

    def url(self, service: str, port: int, index: int = 1) -> str:
        return f"http://{self('port', '--index', str(index), service, str(port)).strip()}/"

    def containers(self, *words: str) -> set[str]:
        """The names of the containers that run."""
        return set(self("ps", *words, "--format", "{{.Name}}").split())


@contextmanager
def sample(daemon: Daemon, name: str, folder: Path) -> Iterator[Sample]:
    """The project ``name``, down at the end with all that it made."""
    place = folder / name
    shutil.copytree(EXAMPLES / name, place)
    project = Sample(knarrs(daemon.environment, "knarr"), place)
    try:
        yield project
    except BaseException:
        print(project("ps", "-a"), project("logs", "--tail", "50"))
        raise
    finally:
        project("--profile", "*", "down", "-v", "-t", "1", "--remove-orphans")


def fetched(url: str, given: bytes | None = None) -> str:
    """The page, once the server is there."""
    return eventually(lambda: _fetched(url, given))


def _fetched(url: str, given: bytes | None) -> str | None:
    try:
        with urllib.request.urlopen(url, data=given, timeout=10) as answer:
            return str(answer.read().decode())
    except (urllib.error.URLError, ConnectionError, TimeoutError):
        return None


def eventually(look: "Callable[[], _Found | None]") -> "_Found":
    """What it finds, as soon as it is something."""
    deadline = time.monotonic() + _PATIENCE_S
    while not (found := look()):
        assert time.monotonic() < deadline, "it did not come about"
        time.sleep(0.1)
    return found
