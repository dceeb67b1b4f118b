"""What can be told of a project without its files: from what there is of it on the engine."""

from knarr.compose import labels
from knarr.compose.observed import Observed, service_of
from knarr.compose.project import CONDITION_STARTED, Project, Service
from knarr.spec.docker.container import ContainerSummary


def project_of(name: str, observed: Observed) -> Project:
    """What can be told of a project from its containers, networks and volumes alone."""
    first: dict[str, ContainerSummary] = {}
    for container in observed.containers:
        if service_of(container):
            first.setdefault(service_of(container), container)
    own = [each for each in observed.networks if each.labels.get(labels.PROJECT) == name]
    kept = [
        each
        for each in observed.volumes.values()
        if (each.labels or {}).get(labels.PROJECT) == name
    ]
    known = next(iter(first.values())).labels if first else {}
    return Project(
        name=name,
        directory=known.get(labels.WORKING_DIR, "/"),
        files=tuple(filter(None, known.get(labels.CONFIG_FILES, "").split(","))),
        services={service: _service_of(service, each) for service, each in first.items()},
        networks={each.labels.get(labels.NETWORK, each.name): {"name": each.name} for each in own},
        volumes={
            (each.labels or {}).get(labels.VOLUME, each.name): {"name": each.name} for each in kept
        },
    )


def _service_of(name: str, container: ContainerSummary) -> Service:
    needed = _dependencies(container.labels.get(labels.DEPENDS_ON, ""))
    return Service(name=name, values={"image": container.image, "depends_on": needed})


def _dependencies(label: str) -> dict[str, dict[str, object]]:
    """``db:service_healthy:false,cache:service_started:true``"""
    found = {}
    for entry in filter(None, label.split(",")):
        name, _, rest = entry.partition(":")
        condition, _, restart = rest.partition(":")
        found[name] = {
            "condition": condition or CONDITION_STARTED,
            "restart": restart == "true",
            "required": False,  # what is gone cannot be waited for
        }
    return found
