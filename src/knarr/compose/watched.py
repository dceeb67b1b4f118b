"""``develop.watch``: which changes of files mean what for which service."""

import posixpath
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar

from knarr.compose.project import Project, Service
from knarr.errors import InvalidArgument
from knarr.patterns import IgnoreRules

T = TypeVar("T")

REBUILD: Final = "rebuild"
SYNC: Final = "sync"
RESTART: Final = "restart"
SYNC_RESTART: Final = "sync+restart"
SYNC_EXEC: Final = "sync+exec"
_COPYING: Final = (SYNC, SYNC_RESTART, SYNC_EXEC)

# What editors and compilers write beside the files they are about.
_PASSING: Final = IgnoreRules.of((
    "**/.git",
    "**/*___jb_old___", "**/*___jb_tmp___", "**/.idea/**",
    "**/.#*", "**/#*#",
    "**/4913", "**/*~", "**/.*.swp", "**/.*.swx", "**/.*.swo", "**/.*.swn",
    "**/.*.kate-swp",
    "**/*-go-tmp-umask",
))  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Copied:
    """A file of the host and its place in the containers."""

    path: str
    target: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """An entry of ``develop.watch``.

    context, context_rules: the build's folder, and what its ignore file leaves out.
    """

    service: str
    path: str
    action: str
    target: str = ""
    included: IgnoreRules | None = None
    ignored: IgnoreRules = field(default_factory=lambda: IgnoreRules.of(()))
    context: str = ""
    context_rules: IgnoreRules | None = None
    hook: Mapping[str, Any] = field(default_factory=dict)
    initial_sync: bool = False

    @property
    def copies(self) -> bool:
        return self.action in _COPYING

    def about(self, path: str) -> Copied | None:
        """What a change of ``path`` is to this rule; None where it is nothing."""
        relative = _below(self.path, path)
        if relative is None or self._is_out(path, relative):
            return None
        if self.included is not None and not self.included.excludes(relative):
            return None
        target = posixpath.normpath(posixpath.join(self.target, relative)) if self.target else ""
        return Copied(path=path, target=target)

    def skips(self, folder: str) -> bool:
        """Whether nothing beneath a folder matters."""
        relative = _below(self.path, folder)
        if relative is None:
            return not (self.path + "/").startswith(folder.rstrip("/") + "/")
        if self.ignored.prunes(relative) or _PASSING.prunes(folder.lstrip("/")):
            return True
        inside = _below(self.context, folder)
        return bool(inside and self.context_rules and self.context_rules.prunes(inside))

    def _is_out(self, path: str, relative: str) -> bool:
        if self.ignored.excludes(relative) or _PASSING.excludes(path.lstrip("/")):
            return True
        inside = _below(self.context, path)
        return bool(inside and self.context_rules and self.context_rules.excludes(inside))


def _below(top: str, path: str) -> str | None:
    """The path relative to a folder; empty for the folder itself, None for what is elsewhere."""
    if path == top:
        return ""
    top = top.rstrip("/") + "/"
    return path[len(top) :] if path.startswith(top) else None


def rules_of(
    project: Project,
    ignore_file: Callable[[Service], IgnoreRules],
    warn: Callable[[str], None],
    *,
    builds: bool = True,
) -> list[Rule]:
    """All rules of a project. ignore_file: the rules of a service's build.

    builds: whether images may be built. Raises InvalidArgument where no service has any, or one
    cannot be followed.
    """
    rules: list[Rule] = []
    for service in project.services.values():
        for trigger in (service.get("develop") or {}).get("watch", []):
            rule = _rule(service, trigger, ignore_file)
            _check(rule, service, builds=builds)
            if rule.copies and _is_mounted(rule.path, service):
                warn(
                    f"path '{rule.path}' also declared by a bind mount volume, this path won't be "
                    "monitored!\n"
                )
                continue
            rules.append(rule)
    if not rules:
        raise InvalidArgument(
            "none of the selected services is configured for watch, consider setting a 'develop' "
            "section"
        )
    return rules


def _rule(
    service: Service, trigger: Mapping[str, Any], ignore_file: Callable[[Service], IgnoreRules]
) -> Rule:
    build = service.get("build")
    return Rule(
        service=service.name,
        path=trigger["path"].rstrip("/") or "/",
        action=trigger["action"],
        target=trigger.get("target", ""),
        included=IgnoreRules.of(trigger["include"]) if trigger.get("include") else None,
        ignored=IgnoreRules.of(trigger.get("ignore", ())),
        context=build.get("context", "") if build else "",
        context_rules=ignore_file(service) if build else None,
        hook=trigger.get("exec", {}),
        initial_sync=trigger.get("initial_sync", False) or bool(trigger.get("x-initialSync")),
    )


def _check(rule: Rule, service: Service, *, builds: bool) -> None:
    if rule.action == REBUILD and not service.get("build"):
        raise InvalidArgument(
            f'can\'t watch service "{service.name}" with action rebuild without a build context'
        )
    if rule.action == REBUILD and not builds:
        raise InvalidArgument(
            f"--no-build is incompatible with watch action rebuild in service {service.name}"
        )


def _is_mounted(path: str, service: Service) -> bool:
    return any(
        volume.get("type") == "bind" and _below(volume.get("source", ""), path) is not None
        for volume in service.get("volumes", [])
    )


@dataclass(slots=True, kw_only=True)
class Work:
    """What is to be done about some changes: first rebuilt, then copied, restarted, run."""

    rebuild: list[str] = field(default_factory=list)
    copied: dict[str, list[Copied]] = field(default_factory=dict)
    restart: list[str] = field(default_factory=list)
    hooks: list[Rule] = field(default_factory=list)


def work_of(rules: Iterable[Rule], changed: Iterable[str]) -> Work:
    """What changes of these paths mean, each once, in the order of names."""
    work = Work()
    paths = sorted(changed)
    for rule in rules:
        found = [each for each in map(rule.about, paths) if each is not None]
        if not found:
            continue
        if rule.action == REBUILD:
            _once(work.rebuild, rule.service)
        if rule.action in (RESTART, SYNC_RESTART):
            _once(work.restart, rule.service)
        if rule.copies:
            known = work.copied.setdefault(rule.service, [])
            for each in found:
                _once(known, each)
        if rule.action == SYNC_EXEC:
            work.hooks.append(rule)
    return work


def _once(known: list[T], value: T) -> None:
    if value not in known:
        known.append(value)
