"""Which containers a project has, while a plan is carried out by several threads."""

import threading
from collections.abc import Iterable

from knarr.compose.observed import is_one_off, name_of, service_of
from knarr.spec.docker.container import ContainerSummary


class Roster:
    """The containers of services, by name; those of ``run`` are left out."""

    def __init__(self, containers: Iterable[ContainerSummary] = ()) -> None:
        self._lock = threading.Lock()
        self._ids: dict[str, str] = {}  # by container name
        self._services: dict[str, set[str]] = {}  # service to container names
        for each in containers:
            if not is_one_off(each):
                self.add(service_of(each), name_of(each), each.id)

    def add(self, service: str, name: str, identifier: str) -> None:
        with self._lock:
            self._ids[name] = identifier
            self._services.setdefault(service, set()).add(name)

    def remove(self, service: str, name: str) -> None:
        """Content when it is not known."""
        with self._lock:
            self._ids.pop(name, None)
            self._services.get(service, set()).discard(name)

    def id_of(self, name: str) -> str:
        """What the engine knows the container by: the name itself where nothing else is known."""
        with self._lock:
            return self._ids.get(name, name)

    def of_service(self, service: str) -> list[str]:
        with self._lock:
            return sorted(self._services.get(service, ()))

    def first(self) -> dict[str, str]:
        """By service: the identifier of its first container by name."""
        with self._lock:
            return {
                service: self._ids[min(names)] for service, names in self._services.items() if names
            }
