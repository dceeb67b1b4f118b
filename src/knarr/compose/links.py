"""``links`` and ``external_links`` as the engine has them: ``container:alias``."""

from collections.abc import Callable

from knarr.compose.project import Service


def links_of(
    service: Service,
    project: str,
    number: int,
    containers_of: Callable[[str], list[str]],
    separator: str = "-",
) -> tuple[str, ...]:
    """Each container of a linked service under its alias, and under the names v1 gave it."""
    links: list[str] = []
    for entry in service.get("links", []):
        other, _, alias = entry.partition(":")
        for container in containers_of(other):
            links += [
                f"{container}:{alias or other}",
                f"{container}:{other}{separator}{number}",
                f"{container}:{separator.join((project, other, str(number)))}",
            ]
    for entry in service.get("external_links", []):
        outside, _, alias = entry.partition(":")
        links.append(f"{outside}:{alias or outside}")
    return tuple(links)
