"""Asks the engine what there is of a project: the questions that a plan begins with."""

from collections import defaultdict
from dataclasses import replace

from knarr.client.calls import containers, images, networks, ports, volumes
from knarr.compose import labels
from knarr.compose.engine import Engines
from knarr.compose.observed import Observed
from knarr.compose.project import Project
from knarr.spec.docker.container import ContainerInspect, ContainerSummary
from knarr.spec.docker.image import ImageInspect
from knarr.spec.docker.network import Network
from knarr.spec.docker.shared_ports import ContainerTurn
from knarr.spec.docker.volume import Volume, VolumeList
from knarr.spec.oci.platform import parse_platform


def containers_of(engines: Engines, project: str) -> tuple[ContainerSummary, ...]:
    """All containers of a project, in any state, those of ``run`` among them."""
    wanted = {"label": [f"{labels.PROJECT}={project}", labels.CONFIG_HASH]}
    return engines.ask(containers.list_(all_=True, where=wanted), tuple[ContainerSummary, ...])


def observe(engines: Engines, project: Project, separator: str = "-") -> Observed:
    """Everything that a plan for the project depends on."""
    observed = observe_to_leave(engines, project, separator, volumes=True, images=True)
    turns = engines.ask_for(ports.turns(), tuple[ContainerTurn, ...])  # None: it knows of none
    return replace(
        observed,
        shares_ports=turns is not None,
        draining=frozenset(each.container for each in turns or () if each.state == "draining"),
    )


def observe_to_leave(
    engines: Engines, project: Project, separator: str = "-", *, volumes: bool, images: bool
) -> Observed:
    """What taking a project down depends on; volumes and images where they are to go as well."""
    return Observed(
        containers=containers_of(engines, project.name),
        networks=engines.ask(networks.list_(), tuple[Network, ...]),
        volumes=_volumes(engines) if volumes else {},
        images=images_of(engines, project, separator) if images else {},
        api=engines.api,
    )


def _volumes(engines: Engines) -> dict[str, Volume]:
    return {each.name: each for each in engines.ask(volumes.list_(), VolumeList).volumes}


def images_of(engines: Engines, project: Project, separator: str = "-") -> dict[str, ImageInspect]:
    """The images that the services use, as far as they are there."""
    platforms: dict[str, set[str]] = defaultdict(set)
    for service in project.services.values():
        wanted = str(service.get("platform") or "")
        platforms[service.image_name(project.name, separator)].add(wanted)
    found = {
        name: _image(engines, name, min(asked) if len(asked) == 1 else "")
        for name, asked in sorted(platforms.items())
    }
    return {name: image for name, image in found.items() if image is not None}


def _image(engines: Engines, name: str, platform: str) -> ImageInspect | None:
    """Of a name with several platforms the one that its services want, where it is there."""
    if platform:
        wanted = parse_platform(platform)
        parts = {"os": wanted.os, "architecture": wanted.architecture, "variant": wanted.variant}
        asked = images.inspect(name, platform={key: each for key, each in parts.items() if each})
        if (found := engines.ask_for(asked, ImageInspect)) is not None:
            return found
        there = engines.ask_for(images.inspect(name), ImageInspect)
        fits = there is not None and (there.os, there.architecture) == (
            wanted.os, wanted.architecture)  # fmt: skip
        return there if fits else None  # as if it were not there: it has to be pulled or built
    return engines.ask_for(images.inspect(name), ImageInspect)


def with_details(engines: Engines, observed: Observed, identifiers: list[str]) -> Observed:
    """The same with what some containers were created from, and the images they were made of."""
    inspected = {
        each: found
        for each in identifiers
        if (found := engines.ask_for(containers.inspect(each), ContainerInspect)) is not None
    }
    known = dict(observed.images)
    for container in inspected.values():
        name = container.config.image if container.config else ""
        if name and name not in known:
            image = engines.ask_for(images.inspect(container.image or name), ImageInspect)
            if image is not None:
                known[name] = image
    return replace(observed, images=known, inspected={**observed.inspected, **inspected})
