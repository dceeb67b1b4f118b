"""Services in the order in which they need each other."""

from knarr.compose.project import Project, Service


def in_dependency_order(project: Project) -> list[Service]:
    """Services, each after those it depends on; by name where nothing else decides."""
    ordered: list[Service] = []
    done: set[str] = set()

    def add(name: str) -> None:
        if name in done or name not in project.services:
            return
        done.add(name)
        service = project.services[name]
        for needed in sorted(service.dependencies):
            add(needed)
        ordered.append(service)

    for name in sorted(project.services):
        add(name)
    return ordered
