"""``up`` without ``-d``: the output of all containers here, until they end or are interrupted."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterable
from contextlib import contextmanager
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any

from knarr.cli.compose.logs import Follower, LogPrinter, short_name
from knarr.cli.compose.steering import Steering
from knarr.client.calls import containers, system
from knarr.compose import labels
from knarr.compose.container_actions import StartContainer
from knarr.compose.draft import UpOptions
from knarr.compose.lifecycle import plan_start, plan_stop, selected
from knarr.compose.observed import RUNNING, Observed, is_one_off
from knarr.compose.observing import containers_of
from knarr.compose.project import Project
from knarr.compose.report import Progress
from knarr.errors import KnarrError, NotFound
from knarr.spec.docker.container import ContainerInspect, ContainerSummary

if TYPE_CHECKING:
    from collections.abc import Iterator

    from knarr.cli.compose.call import Call
    from knarr.cli.compose.watching import Watcher

INTERRUPTED = 130


class Ending:
    """When the whole ends because one container does.

    on_exit: with any.  on_failure: with one that fails.  code_of: the service whose code is ours.
    """

    __slots__ = ("code_of", "on_exit", "on_failure")

    def __init__(self, *, on_exit: bool, on_failure: bool, code_of: str) -> None:
        self.on_exit = on_exit or bool(code_of)
        self.on_failure = on_failure
        self.code_of = code_of

    def ends(self, code: int) -> bool:
        return self.on_exit or (self.on_failure and code != 0)


class Foreground:
    """The containers of some services of a project, watched until the last one has ended."""

    def __init__(
        self,
        call: Call,
        project: Project,
        observed: Observed,
        printer: LogPrinter,
        attach: Iterable[str],
        ending: Ending,
        began: float = 0.0,
    ) -> None:
        """began: since when what containers wrote is shown of those that run already; seconds."""
        self._call = call
        self._project = project
        self._observed = observed
        self._printer = printer
        self._follower = Follower(call, printer)
        self._attach = set(attach)
        self._ending = ending
        self._began = began
        self._names: dict[str, str] = {}  # of the containers that are watched
        self._services: dict[str, str] = {}
        self._alive: set[str] = set()
        self._events: SimpleQueue[dict[str, Any]] = SimpleQueue()
        self._code: int | None = None
        self._watcher: Watcher | None = None
        self._steering = Steering(call, project, printer, self._alive, self._names)

    def follow_changes(self, watcher: Watcher) -> None:
        """Let changes of files have their effects as well."""
        self._watcher = self._steering.watcher = watcher

    def rested(self) -> None:
        """The watcher has done what it had to do."""
        self._events.put({"Action": "rested"})

    def run(
        self, options: UpOptions, wait_timeout: float | None, *, watch: bool, keys: bool
    ) -> int:
        """Start what does not run, and stay. The exit code of the command.

        watch: whether changes of files are followed from the start.  keys: listen to them.
        """
        self._observed = self._call.observe(self._project)
        wanted = selected(self._project, self._observed, ())
        for container in wanted:
            self._watch(container)
        shown = sorted(self._names[each.id] for each in wanted if self._is_shown(each.id))
        self._printer.register(shown)
        if shown:
            self._printer.say(f"Attaching to {', '.join(shown)}")
        threading.Thread(target=self._listen, daemon=True).start()
        for container in wanted:
            if container.state == RUNNING:
                self._alive.add(container.id)
                self._show(container.id, since=f"{self._began:f}")
        with _interruptible(), self._steering.listening(self._key if keys else None):
            try:
                self._start(wait_timeout)
                if self._watcher and watch:
                    self._watcher.start()
                self._stay(options)
            except KeyboardInterrupt:
                self._interrupted(options)
                return INTERRUPTED
            finally:
                if self._watcher:
                    self._watcher.stop()
        if self._steering.detached:
            return 0
        self._follower.wait()
        return self._code or 0

    def _key(self, key: str) -> None:
        """For the main thread, among what happens to containers."""
        self._events.put({"Action": "key", "key": key})

    def _watch(self, container: ContainerSummary) -> None:
        name = short_name(container, self._project.name, self._call.separator)
        self._names[container.id] = name
        self._services[container.id] = container.labels.get(labels.SERVICE, "")

    def _is_shown(self, identifier: str) -> bool:
        return self._services.get(identifier, "") in self._attach

    def _show(self, identifier: str, *, since: str = "", tail: str = "all") -> None:
        if self._is_shown(identifier):
            self._follower.follow(identifier, self._names[identifier], since=since, tail=tail)

    def _start(self, wait_timeout: float | None) -> None:
        plan = plan_start(self._project, self._observed)
        self._call.carry_out(
            plan, self._project, self._observed, report=_unseen, started=self._started,
            output=self._printer.feed, wait_timeout=wait_timeout,
        )  # fmt: skip

    def _started(self, _: StartContainer, identifier: str) -> None:
        self._alive.add(identifier)
        new = any(each.id == identifier and each.state == "created" for each in (
            self._observed.containers))  # fmt: skip
        since = "" if new else self._started_at(identifier)
        self._show(identifier, since=since)

    def _started_at(self, identifier: str) -> str:
        try:
            found = self._call.engines.ask(containers.inspect(identifier), ContainerInspect)
        except NotFound:
            return ""
        return found.state.started_at if found.state else ""

    def _listen(self) -> None:
        """Events of the project's containers, for the main thread."""
        where = {"label": [f"{labels.PROJECT}={self._project.name}"], "type": ["container"]}
        try:
            for event in self._call.engines.lines(system.events(where=where)):
                if event.get("Action") in ("start", "die"):
                    self._events.put(event)
        except (KnarrError, OSError) as error:
            self._events.put({"Action": "lost", "Error": str(error)})

    def _stay(self, options: UpOptions) -> None:
        self._drop_ended()
        while self._alive or (self._watcher and self._watcher.busy):
            event = self._events.get()
            match event.get("Action"):
                case "start":
                    self._has_started(event)
                case "die":
                    self._has_ended(event, options)
                case "key":
                    self._steering.press(event["key"])
                    if self._steering.detached:
                        return
                case "lost":
                    raise KnarrError(event["Error"])

    def _drop_ended(self) -> None:
        """Those that have ended before we listened, or stay without an event."""
        current = containers_of(self._call.engines, self._project.name)
        running = {each.id for each in current if each.state in (RUNNING, "restarting", "paused")}
        ended = self._alive - running
        for identifier in ended:
            self._events.put({"Action": "die", "id": identifier, "known": True})

    def _has_started(self, event: dict[str, Any]) -> None:
        identifier = event.get("id", "")
        if identifier in self._names and identifier not in self._alive:
            self._alive.add(identifier)
            self._show(identifier, since=self._started_at(identifier))
        elif identifier not in self._names:
            found = containers_of(self._call.engines, self._project.name)
            for container in found:
                if container.id == identifier and not is_one_off(container):
                    self._watch(container)
                    self._alive.add(identifier)
                    self._show(identifier)

    def _has_ended(self, event: dict[str, Any], options: UpOptions) -> None:
        identifier = event.get("id", "")
        if identifier not in self._alive:
            return
        code, goes_on = self._end_of(identifier, event)
        if not goes_on:
            self._alive.discard(identifier)
        self._follower.wait([identifier] if not goes_on and self._is_shown(identifier) else [])
        suffix = " (restarting)" if goes_on else ""
        if self._is_shown(identifier):
            self._printer.status(self._names[identifier], f"exited with code {code}{suffix}")
        service = self._services[identifier]
        if service == self._ending.code_of and not goes_on:
            self._code = code
        if self._ending.ends(code) and not goes_on:
            self._abort(code, options)

    def _end_of(self, identifier: str, event: dict[str, Any]) -> tuple[int, bool]:
        """The exit code, and whether the engine starts the container again."""
        told = (event.get("Actor") or {}).get("Attributes", {}).get("exitCode")
        try:
            found = self._call.engines.ask(containers.inspect(identifier), ContainerInspect)
        except NotFound:
            return int(told or 0), False
        state = found.state
        goes_on = state is not None and (state.restarting or state.running)
        return int(told) if told else (state.exit_code if state else 0), goes_on

    def _abort(self, code: int, options: UpOptions) -> None:
        if not self._ending.code_of and self._code is None:
            self._code = code
        self._printer.say("Aborting on container exit...")
        self._stop(options)
        if self._ending.code_of and self._code is None:
            self._code = self._code_after_stop()
        self._alive.clear()

    def _code_after_stop(self) -> int:
        for identifier, service in self._services.items():
            if service == self._ending.code_of:
                return self._end_of(identifier, {})[0]
        return 0

    def _stop(self, options: UpOptions) -> None:
        observed = self._call.observe(self._project)
        plan = plan_stop(self._project, observed, options.services, options.timeout)
        self._call.carry_out(plan, self._project, observed)

    def _interrupted(self, options: UpOptions) -> None:
        self._printer.say("Gracefully Stopping... press Ctrl+C again to force")
        try:
            self._stop(options)
        except KeyboardInterrupt:
            observed = self._call.observe(self._project)
            for container in observed.containers:
                if container.state == RUNNING:
                    self._kill(container)

    def _kill(self, container: ContainerSummary) -> None:
        try:
            self._call.engines.do(containers.kill(container.id))
        except KnarrError:
            return  # it has ended meanwhile


def _unseen(progress: Progress) -> None:
    """Starting is not shown: the output of what starts is."""


@contextmanager
def _interruptible() -> Iterator[None]:
    """SIGTERM is as good as Ctrl+C."""

    def interrupt(_number: int, _frame: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
