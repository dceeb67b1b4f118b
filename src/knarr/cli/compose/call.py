"""One call of a compose command: its project, the engine, the ways to show what happens."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from knarr.cli.cli import Cli
from knarr.cli.compose.display import MODES, Display, display
from knarr.cli.compose.scaling import Scaled, scaled
from knarr.compose.actions import Action, Await, Checkpoint, Plan, PullImage, RunProvider
from knarr.compose.container_actions import RollOut
from knarr.compose.discovery import Found, ProjectOptions, find, is_true
from knarr.compose.engine import Engines
from knarr.compose.env_files import with_env_files
from knarr.compose.files import Disk
from knarr.compose.loader import load
from knarr.compose.observed import Observed
from knarr.compose.observing import observe, observe_to_leave
from knarr.compose.project import Project
from knarr.compose.report import Progress, State
from knarr.errors import InvalidArgument, KnarrError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from knarr.cli.compose.flags import Common
    from knarr.compose.means import Means


class Call:
    """What the flags of ``compose`` mean, made when it is first asked for."""

    def __init__(self, cli: Cli, common: Common | None = None) -> None:
        self.cli = cli
        values = cli.group
        self.dry_run: bool = values.get("dry_run", False) or bool(common and common.dry_run)
        self.files = Disk()
        self._warned: set[str] = set()
        self._found: Found | None = None
        self.engines = Engines(lambda version: cli.connect(version=version))
        self._display: Display | None = None

    # the project

    @property
    def options(self) -> ProjectOptions:
        values = self.cli.group
        return ProjectOptions(
            files=values.get("file", ()),
            name=values.get("project_name", ""),
            profiles=values.get("profile", ()),
            env_files=values.get("env_file", ()),
            directory=values.get("project_directory", "") or values.get("workdir", ""),
            compatibility=values.get("compatibility", False),
        )

    @property
    def found(self) -> Found:
        """Which files there are to load, and with which variables."""
        if self._found is None:
            import os

            self._found = find(self.options, self.cli.environ, os.getcwd(), self.files, self.warn)
        return self._found

    @property
    def separator(self) -> str:
        return self.found.separator

    def setting(self, variable: str) -> str:
        """A COMPOSE_ variable, of the environment or of ``.env``."""
        return self.found.request.environment.get(variable, "")

    def project(
        self, services: Iterable[str] = (), *, dependencies: bool = True, scale: Iterable[str] = ()
    ) -> Project:
        """The project, with only the named services and what they need.

        Raises NotFound where there is no compose file, ComposeFileError for what is wrong in one.
        """
        names = tuple(services)
        request = replace(self.found.request, resolve_environment=False)
        project = load(request, self.files, self.warn).with_services_enabled(names)
        project = project.selected(names, with_dependencies=dependencies)
        if not self.cli.group.get("all_resources"):
            project = project.without_unused_resources()
        project = with_env_files(project, self.files, self.warn)
        return scaled(project, [Scaled.read(each) for each in scale])

    def config_project(self, services: Iterable[str], **steps: Any) -> Project:
        """The project as ``config`` wants it; ``steps`` are fields of the loader's request."""
        from knarr.compose.config import select

        request = replace(self.found.request, **steps)
        everything = bool(self.cli.group.get("all_resources"))
        return select(load(request, self.files, self.warn), services, all_resources=everything)

    def name(self) -> str:
        """The project's name; its files are read only where nothing else says it.

        A bad one is refused with the files: of a project without any, nothing is found.
        """
        if self.options.name:
            return self.options.name
        return self.cli.environ.get("COMPOSE_PROJECT_NAME") or self.project().name

    def project_or_none(self, services: Iterable[str] = ()) -> Project | None:
        """None where only a name is given: what there is of the project is all that is known."""
        if self.options.name and not self.options.files:
            return None
        try:
            return self.project(services)
        except KnarrError:
            if self.cli.environ.get("COMPOSE_PROJECT_NAME"):
                return None
            raise

    def seen(
        self,
        services: Iterable[str] = (),
        look: Callable[[Project], Observed] | None = None,
    ) -> tuple[Project, Observed]:
        """The project, of its files or of what is there of it, and what is there of it.

        look: asks for less than everything.
        """
        names = tuple(services)
        look = look or self.observe
        project = self.project_or_none(names)
        if project is not None:
            return project, look(project)
        from knarr.compose.remains import project_of

        empty = Project(name=self.name(), directory="/")
        observed = look(empty)
        return project_of(empty.name, observed), observed

    def observe(self, project: Project) -> Observed:
        return observe(self.engines, project, self.separator)

    def observe_to_leave(self, project: Project, *, volumes: bool, images: bool) -> Observed:
        return observe_to_leave(
            self.engines, project, self.separator, volumes=volumes, images=images
        )

    # telling

    def warn(self, text: str) -> None:
        """A warning, once, in the form that Compose's have."""
        if text in self._warned:
            return
        self._warned.add(text)
        if self.cli.err.isatty():
            self.cli.warn(f"\x1b[33mWARN\x1b[0m[0000] {text}")
            return
        moment = time.strftime("%Y-%m-%dT%H:%M:%S%z")
        quoted = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
        self.cli.warn(f'time="{moment[:-2]}:{moment[-2:]}" level=warning msg="{quoted}"')

    @property
    def coloured(self) -> bool:
        """Whether to use colours where the output is a terminal."""
        values = self.cli.group
        ansi = values.get("ansi") or self.cli.environ.get("COMPOSE_ANSI") or "auto"
        if ansi not in ("auto", "never", "always"):
            raise InvalidArgument(f'unsupported --ansi value "{ansi}"')
        if ansi == "always":
            return True
        return ansi == "auto" and not values.get("no_ansi") and "NO_COLOR" not in self.cli.environ

    @property
    def progress(self) -> str:
        return self.cli.group.get("progress") or self.cli.environ.get("COMPOSE_PROGRESS") or "auto"

    def report(self, progress: Progress) -> None:
        """Show a step of what is done."""
        if self._display is None:
            out = (
                self.cli.out
                if is_true(self.cli.environ.get("COMPOSE_STATUS_STDOUT", ""))
                else (self.cli.err)
            )
            self._display = display(self.progress, out, colour=self.coloured, dry_run=self.dry_run)
        self._display(progress)

    def use_lines(self) -> None:
        """Show progress line by line from now on, since other lines come among it."""
        self.settle()
        if self.progress in ("auto", "tty"):
            self._display = display(
                "plain", self.cli.err, colour=self.coloured, dry_run=self.dry_run
            )

    def settle(self) -> None:
        """Let what is shown come to its end, before something else is written."""
        if self._display is not None:
            self._display.close()

    # doing

    def means(self, **more: Any) -> Means:
        from knarr.compose.means import Means

        limit = self.cli.group.get("parallel", -1)
        limit = limit if limit > 0 else int(self.setting("COMPOSE_PARALLEL_LIMIT") or 16)
        given: dict[str, Any] = {
            "files": self.files,
            "report": self.report,
            "warn": self.warn,
            "pull": self._pull,
            "separator": self.separator,
            "env_files": self.found.env_files,
            "at_once": max(1, limit),
        }
        return Means(**(given | more))

    def carry_out(self, plan: Plan, project: Project, observed: Observed, **more: Any) -> None:
        """Do what the plan says, or only show it."""
        for warning in plan.warnings:
            self.warn(warning)
        for _, container in plan.kept:
            subject = f"Container {container}"
            self.report(Progress(subject=subject, text="Running", state=State.DONE))
        if self.dry_run:
            self._show(plan.actions)
            return
        if not plan.actions:
            self.settle()
            return
        from knarr.compose.apply import apply

        more.setdefault("provide", lambda action: self._provide(project, action))
        with self.settled():
            apply(plan, project, observed, self.engines, self.means(**more))

    def only_tells(self, subject: str, doing: str, done: str) -> bool:
        """Whether this is a dry run, in which what would be done is told and not done."""
        if self.dry_run:
            self.report(Progress(subject=subject, text=doing))
            self.report(Progress(subject=subject, text=done, state=State.DONE))
            self.settle()
        return self.dry_run

    def _pull(self, action: PullImage) -> None:
        from knarr.cli.compose.images import pull

        pull(self, action)

    def _provide(self, project: Project, action: RunProvider) -> None:
        from knarr.cli.compose.providing import provide

        provide(self, project, project.all_services[action.service], action.verb)

    @contextmanager
    def settled(self) -> Iterator[None]:
        """What is shown during the block is at its end after it."""
        try:
            yield
        finally:
            self.settle()

    def _show(self, actions: Iterable[Action]) -> None:
        for action in actions:
            if isinstance(action, Checkpoint):
                continue
            if isinstance(action, RollOut):
                self._show(action.steps)
                continue
            self.report(Progress(subject=action.subject, text=action.doing))
            if not isinstance(action, Await):
                self.report(Progress(subject=action.subject, text=action.done, state=State.DONE))
        self.settle()

    def ask_whether(self, question: str) -> bool:
        """A yes or no of whoever sits there, or of what is piped in; no where nothing comes."""
        self.cli.out.write(f"{question} [yN] " if sys.stdin.isatty() else question)
        self.cli.out.flush()
        return sys.stdin.readline().strip().lower() in ("y", "yes", "1", "true", "t")

    def close(self) -> None:
        self.settle()
        self.engines.close()


@contextmanager
def called(cli: Cli, common: Common | None = None) -> Iterator[Call]:
    """A call for the time of a command."""
    call = Call(cli, common)
    if call.progress not in MODES:
        raise InvalidArgument(f'unsupported --progress value "{call.progress}"')
    try:
        yield call
    finally:
        call.close()


def positive_timeout(cli: Cli, timeout: int) -> int | None:
    """A ``--timeout`` that was given; None leaves it to the container."""
    return timeout if "timeout" in cli.given else None
