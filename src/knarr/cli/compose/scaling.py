"""``SERVICE=N``: how many containers a service has, said on a command line."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

from knarr.compose.project import Project
from knarr.errors import InvalidArgument


@dataclass(frozen=True, slots=True, kw_only=True)
class Scaled:
    """``SERVICE=N`` of a command line."""

    service: str
    replicas: int

    @classmethod
    def read(cls, text: str) -> Scaled:
        service, equals, number = text.partition("=")
        if not equals:
            raise InvalidArgument(f'invalid --scale option "{text}". Should be SERVICE=NUM')
        if not number.isdecimal():
            raise InvalidArgument(f'strconv.Atoi: parsing "{number}": invalid syntax')
        return cls(service=service, replicas=int(number))


def scaled(project: Project, scales: Iterable[Scaled]) -> Project:
    """The project with other numbers of containers. Raises NotFound for a service it has not."""
    services = dict(project.services)
    for each in scales:
        service = project.service(each.service)
        deploy = service.get("deploy")
        changes: dict[str, Any] = {"scale": each.replicas}
        if deploy is not None:
            changes["deploy"] = {**deploy, "replicas": each.replicas}
        services[each.service] = service.with_values(**changes)
    return replace(project, services=services)
