"""What must be true of a project as a whole: what it refers to exists, what it says agrees."""

from collections.abc import Callable, Iterator
from typing import Any, Final

from knarr.compose.attributes.cpus import nano_cpus
from knarr.compose.namespace import SERVICE, service_in
from knarr.compose.origin import Path
from knarr.compose.project import Project, Service
from knarr.compose.shape import ShapeError

_INVALID: Final = ": invalid compose project"
_TESTS: Final = ("CMD", "CMD-SHELL", "NONE")
_LIMITS: Final = (
    # attribute, where deploy says it, and under which name
    ("mem_limit", "limits", "memory"),
    ("mem_reservation", "reservations", "memory"),
    ("pids_limit", "limits", "pids"),
)


def check(project: Project) -> None:
    """Raises ComposeFileError with the first thing that is wrong, in Compose's words."""
    with project.blame:
        for service in sorted(project.services.values(), key=lambda each: each.name):
            for attribute, about in _CHECKS:
                for complaint in about(service, project):
                    raise ShapeError(("services", service.name, *attribute), complaint)
        for name, secret in sorted(project.secrets.items()):
            if not any(secret.get(each) for each in ("external", "file", "environment")):
                raise ShapeError(
                    ("secrets", name),
                    f'secret "{name}" must declare either `file` or `environment`{_INVALID}',
                )
        _refuse_cycles(project)


def check_container_names(project: Project) -> None:
    """Two services cannot have the same container name."""
    owners: dict[str, str] = {}
    for name, service in sorted(project.services.items()):
        container = service.get("container_name")
        if container and container in owners:
            with project.blame:
                raise ShapeError(
                    ("services", name, "container_name"),
                    f'services.{name}: container name "{container}" is already in use by '
                    f"service {owners[container]}",
                )
        owners[container] = name


def _about_source(service: Service, _: Project) -> Iterator[str]:
    if not any(service.get(each) for each in ("build", "image", "provider")):
        yield (
            f'service "{service.name}" has neither an image nor a build context specified{_INVALID}'
        )


def _about_build(service: Service, project: Project) -> Iterator[str]:
    build = service.get("build")
    if build is None:
        return
    if build.get("dockerfile_inline") and build.get("dockerfile"):
        yield (
            f'service "{service.name}" declares mutualy exclusive dockerfile and '
            f"dockerfile_inline{_INVALID}"
        )
    for name, context in build.get("additional_contexts", {}).items():
        target = service_in(context)
        if target is None:
            continue
        if target not in project.services:
            yield (
                f'service "{service.name}" declares unknown service "{target}" '
                f"as additional contexts {name}"
            )
        elif project.services[target].get("build") is None:
            yield (
                f'service "{service.name}" declares non-buildable service "{target}" '
                f"as additional contexts {name}"
            )
    platform, platforms = service.get("platform"), build.get("platforms", [])
    if platform and platforms and platform not in platforms:
        yield f'service.build.platforms MUST include service.platform "{platform}"{_INVALID}'


def _about_networks(service: Service, project: Project) -> Iterator[str]:
    networks = service.get("networks", {})
    if service.get("network_mode") and networks:
        yield (
            f"service {service.name} declares mutually exclusive `network_mode` and "
            f"`networks`{_INVALID}"
        )
    yield from _undefined(service, "network", networks, project.networks)
    shared = service_in(service.get("network_mode", ""))
    if shared is not None and shared not in project.services:
        yield f"service \"{shared}\" not found for network_mode '{SERVICE}{shared}'"


def _undefined(service: Service, kind: str, names: Any, known: Any) -> Iterator[str]:
    for name in names:
        if name not in known:
            yield f'service "{service.name}" refers to undefined {kind} {name}{_INVALID}'


def _about_health(service: Service, _: Project) -> Iterator[str]:
    test = service.get("healthcheck", {}).get("test")
    if test and test[0] not in _TESTS:
        yield 'healthcheck.test must start either by "CMD", "CMD-SHELL" or "NONE"'


def _about_dependencies(service: Service, project: Project) -> Iterator[str]:
    for name, dependency in service.dependencies.items():
        if name in project.services or (name in project.disabled and not dependency.required):
            continue
        yield f'service "{service.name}" depends on undefined service "{name}"{_INVALID}'


def _about_volumes(service: Service, project: Project) -> Iterator[str]:
    names = [
        each["source"]
        for each in service.get("volumes", [])
        if each["type"] == "volume" and each.get("source")
    ]
    yield from _undefined(service, "volume", names, project.volumes)
    yield from _about_targets(service)


def _about_build_secrets(service: Service, project: Project) -> Iterator[str]:
    names = [each["source"] for each in service.get("build", {}).get("secrets", [])]
    yield from _undefined(service, "build secret", names, project.secrets)


def _about_configs(service: Service, project: Project) -> Iterator[str]:
    names = [each["source"] for each in service.get("configs", [])]
    yield from _undefined(service, "config", names, project.configs)


def _about_models(service: Service, project: Project) -> Iterator[str]:
    yield from _undefined(service, "model", service.get("models", {}), project.models)


def _about_secrets(service: Service, project: Project) -> Iterator[str]:
    names = [each["source"] for each in service.get("secrets", [])]
    yield from _undefined(service, "secret", names, project.secrets)


def _about_scale(service: Service, _: Project) -> Iterator[str]:
    scale, replicas = service.get("scale"), service.get("deploy", {}).get("replicas")
    where = f"services.{service.name}"
    if scale is not None and replicas is not None and scale != replicas:
        yield f"{where}: can't set distinct values on 'scale' and 'deploy.replicas'{_INVALID}"
    if scale is not None and scale < 0:
        yield f"{where}.scale: must be greater than or equal to 0"
    if replicas is not None and replicas < 0:
        yield f"{where}.deploy.replicas: must be greater than or equal to 0"
    if service.replicas > 1 and service.get("container_name"):
        attribute = "deploy.replicas" if scale is None else "scale"
        yield (
            f"{where}: can't set container_name and {attribute} as container name must be "
            f"unique{_INVALID}"
        )


def _about_limits(service: Service, _: Project) -> Iterator[str]:
    resources = service.get("deploy", {}).get("resources") or {}
    where = f"services.{service.name}"
    cpus, limits = service.get("cpus"), resources.get("limits")
    if cpus and limits is not None and nano_cpus(limits.get("cpus", 0)) != nano_cpus(cpus):
        yield (
            f"{where}: can't set distinct values on 'cpus' and "
            f"'deploy.resources.limits.cpus'{_INVALID}"
        )
    for attribute, part, name in _LIMITS:
        value, declared = service.get(attribute), resources.get(part)
        if value not in (None, 0, "0") and declared is not None and declared.get(name) != value:
            yield (
                f"{where}: can't set distinct values on '{attribute}' and "
                f"'deploy.resources.{part}.{name}'{_INVALID}"
            )


def _about_watch(service: Service, _: Project) -> Iterator[str]:
    for trigger in service.get("develop", {}).get("watch", []):
        if not trigger.get("target") and trigger["action"] not in ("rebuild", "restart"):
            yield (
                f"services.{service.name}.develop.watch: target is required for "
                f"non-rebuild actions{_INVALID}"
            )


def _about_targets(service: Service) -> Iterator[str]:
    places = [
        (entry.partition(":")[0], f"services.{service.name}.tmpfs[{index}]")
        for index, entry in enumerate(service.get("tmpfs", []))
    ]
    places += [
        (volume["target"], f"services.{service.name}.volumes[{index}]")
        for index, volume in enumerate(service.get("volumes", []))
    ]
    taken: dict[str, str] = {}
    for target, where in places:
        if target in taken:
            yield f"{where}: target {target} already mounted as {taken[target]}"
        taken[target] = where


_CHECKS: Final[tuple[tuple[Path, Callable[[Service, Project], Iterator[str]]], ...]] = (
    # the attribute that a complaint is about, and who may have one
    ((), _about_source),
    (("build",), _about_build),
    (("networks",), _about_networks),
    (("healthcheck", "test"), _about_health),
    (("depends_on",), _about_dependencies),
    (("volumes",), _about_volumes),
    (("build", "secrets"), _about_build_secrets),
    (("configs",), _about_configs),
    (("models",), _about_models),
    (("secrets",), _about_secrets),
    (("deploy", "replicas"), _about_scale),
    (("deploy", "resources"), _about_limits),
    (("develop", "watch"), _about_watch),
)


def _refuse_cycles(project: Project) -> None:
    finished: set[str] = set()
    for name in sorted(project.services):
        _walk(name, [], finished, project)


def _walk(name: str, way: list[str], finished: set[str], project: Project) -> None:
    if name in way:
        cycle = " -> ".join((*way[way.index(name) :], name))
        raise ShapeError(("services", name, "depends_on"), f"dependency cycle detected: {cycle}")
    if name in finished or name not in project.services:
        return
    for needed in sorted(project.services[name].dependencies):
        _walk(needed, [*way, name], finished, project)
    finished.add(name)
