"""Follow changes of files: copy them into containers, restart them, build them anew."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Final

from knarr.cli.building.context import ignore_rules
from knarr.cli.compose.build_section import Overrides
from knarr.cli.compose.building import build
from knarr.cli.compose.logs import LogPrinter, short_name
from knarr.client.calls import images
from knarr.compose import labels
from knarr.compose.draft import UpOptions
from knarr.compose.file_events import FileEvents
from knarr.compose.hooks import run_hook
from knarr.compose.images import all_builds
from knarr.compose.lifecycle import plan_restart
from knarr.compose.observed import RUNNING, Observed
from knarr.compose.plan import plan_up
from knarr.compose.reasons import FORCE, NEVER
from knarr.compose.report import Progress
from knarr.compose.syncing import copy, differing
from knarr.compose.watched import Copied, Rule, Work, rules_of, work_of
from knarr.errors import KnarrError
from knarr.patterns import IgnoreRules
from knarr.spec.docker.image import ImageSummary

if TYPE_CHECKING:
    from knarr.cli.compose.call import Call
    from knarr.compose.project import Project, Service
    from knarr.spec.docker.container import ContainerSummary

QUIET: Final = 0.2  # seconds without a change, before anything is done about those there were
_AT_MOST: Final = 2.0


class Watcher:
    """The rules of a project, carried out until it is stopped.

    builds: None where nothing may be built. prune: whether what a new image replaces is removed.
    rested: told whenever what changes asked for is done.
    """

    def __init__(
        self,
        call: Call,
        project: Project,
        printer: LogPrinter,
        *,
        builds: Overrides | None,
        prune: bool = True,
        rested: Callable[[], None] = lambda: None,
    ) -> None:
        self._call = call
        self._project = project
        self._printer = printer
        self._builds = builds
        self._prune = prune
        self._rested = rested
        self._rules: list[Rule] = rules_of(
            project, _ignore_file, call.warn, builds=builds is not None
        )
        self._events: FileEvents | None = None
        self._thread: threading.Thread | None = None
        self.busy = False

    @property
    def watching(self) -> bool:
        return self._events is not None

    def start(self) -> None:
        """Bring containers up to date, and go on in a thread of its own."""
        self._events = FileEvents(
            (rule.path for rule in self._rules),
            skipped=lambda folder: all(rule.skips(folder) for rule in self._rules),
        )
        self._first_sync()
        self._printer.watch("Watch enabled")
        self._thread = threading.Thread(target=self._follow, args=(self._events,), daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End, once what is under way is done."""
        if self._events is None or self._thread is None:
            return
        self._events.stop()
        self._thread.join()
        self._printer.watch("Watch disabled")

    def wait(self) -> None:
        """Until somebody interrupts."""
        while self._thread is not None and self._thread.is_alive():
            self._thread.join(1)

    def _follow(self, events: FileEvents) -> None:
        with events:
            for changed in events.batches(QUIET, _AT_MOST):
                self.busy = True
                try:
                    self._do(work_of(self._rules, changed))
                except (KnarrError, OSError) as error:
                    self._call.warn(f"Error handling changed files: {error}")
                finally:
                    self.busy = False
                    self._rested()
        self._events = None

    def _first_sync(self) -> None:
        for rule in self._rules:
            if not (rule.initial_sync and rule.copies):
                continue
            for container in self._containers(rule.service):
                files = differing(self._call.engines, container.id, rule)
                if files:
                    copy(self._call.engines, container.id, files)

    def _containers(self, service: str) -> list[ContainerSummary]:
        observed = self._call.observe(self._project)
        return [each for each in observed.of_service(service) if each.state == RUNNING]

    def _do(self, work: Work) -> None:
        if work.rebuild:
            self._rebuild(work.rebuild)
        for service, files in work.copied.items():
            self._copy(service, files)
        if work.restart:
            self._restart(work.restart)
        for rule in work.hooks:
            self._run(rule)

    def _copy(self, service: str, files: list[Copied]) -> None:
        self._printer.watch(f'Syncing service "{service}" after {len(files)} changes were detected')
        for container in self._containers(service):
            copy(self._call.engines, container.id, files)

    def _restart(self, services: list[str]) -> None:
        observed = self._call.observe(self._project)
        plan = plan_restart(self._project, observed, services)
        self._call.carry_out(plan, self._project, observed, report=_unseen)
        self._printer.watch(f"service(s) {_quoted(services)} restarted")

    def _run(self, rule: Rule) -> None:
        for container in self._containers(rule.service):
            name = short_name(container, self._project.name, self._call.separator)

            def show(data: bytes, name: str = name) -> None:
                self._printer.feed(name, data)

            run_hook(self._call.engines, container.id, rule.hook, show)

    def _rebuild(self, services: list[str]) -> None:
        self._printer.watch(
            f"Rebuilding service(s) {_quoted(services)} after changes were detected..."
        )
        alone = self._project.selected(services, with_dependencies=False)
        observed = self._call.observe(self._project)
        steps = LogPrinter(_Lines(self._printer), prefix=False)
        try:
            self._call.carry_out(
                all_builds(alone, self._call.separator), alone, observed, report=_unseen,
                build=lambda action: build(self._call, alone, action, steps, self._builds),
            )  # fmt: skip
        except KnarrError as error:
            self._printer.watch(f"Build failed. Error: {error}")
            raise
        self._printer.watch(f"service(s) {_quoted(services)} successfully built")
        self._recreate(services)
        if self._prune:
            self._remove_replaced()

    def _recreate(self, services: list[str]) -> None:
        affected = _with_dependents(self._project, services)
        project = self._project.selected(affected, with_dependencies=False)
        observed: Observed = self._call.observe(project)
        options = UpOptions(
            services=tuple(services),
            recreate=FORCE,
            recreate_dependencies=NEVER,
            ignore_orphans=True,
            separator=self._call.separator,
            env_files=self._call.found.env_files,
        )
        try:
            plan = plan_up(project, observed, options)
            self._call.carry_out(plan, project, observed, report=_unseen)
        except KnarrError as error:
            self._printer.watch(f"Application failed to start after update. Error: {error}")

    def _remove_replaced(self) -> None:
        where = {"dangling": ["true"], "label": [f"{labels.PROJECT}={self._project.name}"]}
        replaced = self._call.engines.ask(images.list_(where=where), tuple[ImageSummary, ...])
        for image in replaced:
            try:
                self._call.engines.do(images.remove(image.id))
            except KnarrError:
                continue  # a container uses it still


class _Lines:
    """Where the steps of a build go: lines of the watcher's."""

    def __init__(self, printer: LogPrinter) -> None:
        self._printer = printer

    def write(self, text: str) -> int:
        self._printer.watch(text.removesuffix("\n"))
        return len(text)

    def flush(self) -> None:
        """Nothing is held back."""


def _ignore_file(service: Service) -> IgnoreRules:
    declared = service.get("build") or {}
    dockerfile = declared.get("dockerfile", "Dockerfile")
    return ignore_rules(declared["context"], dockerfile) or IgnoreRules.of(())


def _with_dependents(project: Project, services: Iterable[str]) -> list[str]:
    found = list(services)
    for name in found:
        found += [each for each in project.dependents(name) if each not in found]
    return found


def _quoted(services: Iterable[str]) -> str:
    return "[" + " ".join(f'"{service}"' for service in services) + "]"


def _unseen(_: Progress) -> None:
    """The watcher tells itself what it does."""
