"""What single keys do while the output of a project is shown."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING

from knarr.cli.compose.keys import DETACH, HELP, MENU, TERMINAL, WATCH, Keys
from knarr.cli.compose.logs import short_name
from knarr.cli.compose.terminal import open_terminal
from knarr.cli.exit import Exit
from knarr.compose.lifecycle import selected
from knarr.compose.observed import RUNNING
from knarr.errors import KnarrError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from knarr.cli.compose.call import Call
    from knarr.cli.compose.logs import LogPrinter
    from knarr.cli.compose.watching import Watcher
    from knarr.compose.project import Project
    from knarr.spec.docker.container import ContainerSummary

_DIGITS = 9


class Steering:
    """Keys and their effects. watcher: what is switched on and off; None where nothing is watched.

    alive, names: of the containers, by ID, as they are when a key is pressed.
    """

    def __init__(
        self,
        call: Call,
        project: Project,
        printer: LogPrinter,
        alive: Collection[str],
        names: Mapping[str, str],
    ) -> None:
        self._call = call
        self._project = project
        self._printer = printer
        self._alive = alive
        self._names = names
        self._keys: Keys | None = None
        self._choice: list[ContainerSummary] = []  # whose terminal a digit means
        self.watcher: Watcher | None = None
        self.detached = False

    @contextmanager
    def listening(self, pressed: Callable[[str], None] | None) -> Iterator[None]:
        """pressed: told of each key, in a thread of its own; None where nobody has keys."""
        if pressed is None:
            yield
            return
        self._printer.say(MENU)
        with Keys(pressed) as self._keys:
            yield

    def press(self, key: str) -> None:
        if key.isdecimal() and 0 < int(key) <= len(self._choice):
            self._terminal(self._choice[int(key) - 1])
        self._choice = []
        if key == HELP:
            self._printer.say(MENU)
        elif key == DETACH:
            self.detached = True
        elif key == WATCH:
            self._toggle_watch()
        elif key == TERMINAL:
            self._choose()

    def _toggle_watch(self) -> None:
        if self.watcher is None:
            self._printer.say("No service says in develop.watch what is to be followed")
        elif self.watcher.watching:
            self.watcher.stop()
        else:
            self.watcher.start()

    def _choose(self) -> None:
        observed = self._call.observe(self._project)
        running = [
            each
            for each in selected(self._project, observed, ())
            if each.id in self._alive and each.state == RUNNING
        ][:_DIGITS]
        if len(running) == 1:
            self._terminal(running[0])
            return
        self._choice = running
        names = (
            f"{number} {short_name(each, self._project.name, self._call.separator)}"
            for number, each in enumerate(running, 1)
        )
        self._printer.say(f"Whose terminal: {', '.join(names)}")

    def _terminal(self, container: ContainerSummary) -> None:
        """Until its end, or the keys that detach; what others write is shown after that."""
        assert self._keys is not None
        name = self._names[container.id]
        self._printer.say(f"Terminal of {name}; ctrl-p ctrl-q comes back here")
        self._keys.leave()
        self._printer.hold()
        try:
            open_terminal(self._call.cli, self._call.engines, container)
        except (KnarrError, Exit) as error:
            self._call.warn(str(error))
        finally:
            self._printer.release(seen=name)
            self._keys.listen()
        self._printer.say(f"Back from {name}")
