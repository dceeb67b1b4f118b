"""Which images must be fetched or built before a project's containers can be made."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from knarr.compose.actions import Action, BuildImage, Plan, PullImage
from knarr.compose.observed import Observed
from knarr.compose.ordering import in_dependency_order
from knarr.compose.project import Project, Service
from knarr.errors import InvalidArgument
from knarr.spec.docker.image import ImageInspect
from knarr.times import rfc3339_ns
from knarr.units import duration_ns

ALWAYS: Final = "always"
MISSING: Final = "missing"
NEVER: Final = "never"
BUILD: Final = "build"
POLICIES: Final = (ALWAYS, MISSING, "if_not_present", NEVER, BUILD)
_EVERY: Final = {"daily": 24 * 3600, "weekly": 7 * 24 * 3600}
_LONG: Final = re.compile(r"(\d+)([dw])")
_HOURS: Final = {"d": 24, "w": 24 * 7}


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageOptions:
    """pull: a policy for all services in place of their own.  build: all that can be built are.

    no_build: none is.  now_ns: for policies that fetch what is older than some time.
    """

    pull: str = ""
    build: bool = False
    no_build: bool = False
    now_ns: int = 0
    separator: str = "-"


def plan_images(project: Project, observed: Observed, options: ImageOptions) -> Plan:
    """Pulls, then builds. Raises InvalidArgument for a policy that is none."""
    if options.pull and options.pull not in POLICIES:
        raise InvalidArgument(f'invalid --pull option "{options.pull}"')
    services = [each for each in in_dependency_order(project) if not each.get("provider")]
    pulls = _pulls(project, services, observed, options)
    builds = [] if options.no_build else _builds(project, services, observed, options, pulls)
    return Plan(project=project.name, actions=(*pulls.values(), *builds))


def policy_of(service: Service, options: ImageOptions) -> str:
    if options.build and service.get("build"):
        return BUILD
    return options.pull or str(service.get("pull_policy", MISSING))


def must_pull(service: Service, there: ImageInspect | None, options: ImageOptions) -> bool:
    """Whether a service's image is to be fetched. Without a name of its own it never is."""
    if not service.get("image"):
        return False
    policy = policy_of(service, options)
    if policy == ALWAYS:
        return True
    if policy in (NEVER, BUILD):
        return False
    age_ns = _age_ns(service, policy)
    if there is None or age_ns is None:
        return there is None
    tagged = there.metadata.last_tag_time if there.metadata else None
    return tagged is None or options.now_ns > rfc3339_ns(tagged) + age_ns


def _age_ns(service: Service, policy: str) -> int | None:
    """After which age an image is fetched again; None: never, once it is there."""
    if policy in _EVERY:
        return _EVERY[policy] * 1_000_000_000
    text = policy.removeprefix("every_") if policy.startswith("every_") else ""
    if policy == "refresh":
        text = str(service.get("pull_refresh_after", ""))
    if not text:
        return None
    return duration_ns(_LONG.sub(lambda match: f"{int(match[1]) * _HOURS[match[2]]}h", text))


def _pulls(
    project: Project, services: Iterable[Service], observed: Observed, options: ImageOptions
) -> dict[str, Action]:
    """By image; what is only there to be mounted is fetched when it is missing."""
    wanted: dict[str, list[Service]] = {}
    for service in services:
        name = service.image_name(project.name, options.separator)
        if must_pull(service, observed.images.get(name), options):
            wanted.setdefault(name, []).append(service)
    mounted = {
        volume["source"]
        for service in services
        for volume in service.get("volumes", [])
        if volume["type"] == "image" and volume.get("source") not in observed.images
    }
    pulls: dict[str, Action] = {
        image: PullImage(
            key=f"pull {image}",
            image=image,
            services=tuple(each.name for each in users),
            platform=str(users[0].get("platform", "")),
            optional=any(each.get("build") for each in users),
        )
        for image, users in wanted.items()
    }
    for image in sorted(mounted - set(pulls)):
        pulls[image] = PullImage(key=f"pull {image}", image=image, services=())
    return pulls


def _builds(
    project: Project,
    services: Iterable[Service],
    observed: Observed,
    options: ImageOptions,
    pulls: dict[str, Action],
) -> list[Action]:
    due = [each for each in services if _must_build(each, project, observed, options)]
    builds: list[Action] = []
    for service in in_build_order(project, due):
        image = service.image_name(project.name, options.separator)
        after = {f"build {name}" for name in service.built_from}
        after |= {pulls[image].key} if image in pulls else set()
        builds.append(
            BuildImage(
                key=f"build {service.name}",
                after=frozenset(after),
                service=service.name,
                image=image,
                unless_present=image in pulls,
            )
        )
    return builds


def in_build_order(project: Project, services: Iterable[Service]) -> list[Service]:
    """The services, each after those that it is built from, which are built with it.

    Raises InvalidArgument where one is built from itself in the end.
    """
    everything = project.all_services
    ordered: dict[str, Service] = {}

    def add(service: Service, users: tuple[str, ...]) -> None:
        if service.name in users:
            circle = " -> ".join((*users[users.index(service.name) :], service.name))
            raise InvalidArgument(f"cycle found: {circle}")
        if service.name in ordered:
            return
        for name in service.built_from:
            add(everything[name], (*users, service.name))
        ordered[service.name] = service

    for service in services:
        add(service, ())
    return list(ordered.values())


def _must_build(
    service: Service, project: Project, observed: Observed, options: ImageOptions
) -> bool:
    if not service.get("build"):
        return False
    there = service.image_name(project.name, options.separator) in observed.images
    return not there or policy_of(service, options) == BUILD


def all_builds(project: Project, separator: str = "-") -> Plan:
    """Every image that can be built, those first that others are built from."""
    services = [each for each in in_dependency_order(project) if each.get("build")]
    options = ImageOptions(build=True, separator=separator)
    actions = _builds(project, services, Observed(), options, {})
    return Plan(project=project.name, actions=tuple(actions))
