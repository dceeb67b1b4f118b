"""A project when all its files are read: services, networks, volumes, configs, secrets, models.

Values of attributes are kept in their canonical form, the one that ``config`` shows: sizes as
digits of bytes, durations as ``1m30s``, ports and mounts in their long spelling.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from typing import Any, Final, Self

from knarr.compose.blame import Blame
from knarr.errors import InvalidArgument, NotFound

Resource = Mapping[str, Any]  # a network, volume, config, secret or model as declared
CONDITION_STARTED: Final = "service_started"
ALL_PROFILES: Final = "*"
SERVICE_CONTEXT: Final = "service:"  # of a build's context that is another service's image


@dataclass(frozen=True, slots=True, kw_only=True)
class Dependency:
    """What a service asks of another before it starts."""

    condition: str = CONDITION_STARTED
    restart: bool = False
    required: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """One service: its name and the attributes that were given for it."""

    name: str
    values: Mapping[str, Any]

    def get(self, attribute: str, default: Any = None) -> Any:
        """An attribute's canonical value; ``default`` when nothing, or null, was said."""
        value = self.values.get(attribute)
        return default if value is None else value

    def with_values(self, **changes: Any) -> "Service":
        return replace(self, values={**self.values, **changes})

    def without(self, *attributes: str) -> "Service":
        kept = {key: value for key, value in self.values.items() if key not in attributes}
        return replace(self, values=kept)

    @property
    def dependencies(self) -> dict[str, Dependency]:
        """By name of the service that is depended on."""
        declared = self.get("depends_on", {})
        return {
            name: Dependency(
                condition=each.get("condition", CONDITION_STARTED),
                restart=each.get("restart", False),
                required=each.get("required", True),
            )
            for name, each in declared.items()
        }

    @property
    def built_from(self) -> tuple[str, ...]:
        """The services whose images are contexts of its build."""
        contexts = self.get("build", {}).get("additional_contexts", {}).values()
        return tuple(
            each.removeprefix(SERVICE_CONTEXT)
            for each in contexts
            if each.startswith(SERVICE_CONTEXT)
        )

    @property
    def replicas(self) -> int:
        """How many containers are wanted: ``scale``, else ``deploy.replicas``, else one."""
        if "scale" in self.values:
            return int(self.values["scale"])
        return int(self.get("deploy", {}).get("replicas", 1))

    @property
    def networks_by_priority(self) -> list[str]:
        """Highest priority first, then by name; the first is where the default route leads."""
        networks = self.get("networks", {})
        return sorted(networks, key=lambda name: (-(networks[name] or {}).get("priority", 0), name))

    def has_profile(self, active: Iterable[str]) -> bool:
        """Whether the service is on: it has no profile, or one of those that are active."""
        wanted = self.get("profiles", [])
        return not wanted or any(each == ALL_PROFILES or each in wanted for each in active)

    def image_name(self, project: str, separator: str = "-") -> str:
        """What it runs; an image that is only built is named for project and service."""
        return self.get("image") or f"{project}{separator}{self.name}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Project:
    """Everything the files say, for a selection of services; replaced, never edited."""

    name: str
    directory: str
    files: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    services: Mapping[str, Service] = field(default_factory=dict)
    disabled: Mapping[str, Service] = field(default_factory=dict)  # their profiles are not active
    networks: Mapping[str, Resource] = field(default_factory=dict)
    volumes: Mapping[str, Resource] = field(default_factory=dict)
    secrets: Mapping[str, Resource] = field(default_factory=dict)
    configs: Mapping[str, Resource] = field(default_factory=dict)
    models: Mapping[str, Resource] = field(default_factory=dict)
    extensions: Mapping[str, Any] = field(default_factory=dict)
    profiles: tuple[str, ...] = ()
    blame: Blame = field(default_factory=Blame, repr=False, compare=False)  # from paths to lines

    @property
    def all_services(self) -> dict[str, Service]:
        return {**self.services, **self.disabled}

    def service(self, name: str) -> Service:
        """Raises NotFound; the sentence tells when it is only disabled."""
        if name in self.services:
            return self.services[name]
        disabled = ": disabled" if name in self.disabled else ""
        raise NotFound(f"no such service: {name}{disabled}")

    def with_profiles(self, profiles: Iterable[str]) -> Self:
        """The services of these profiles, and those without any, switched on."""
        active = tuple(profiles)
        everything = self.all_services
        on = {name: each for name, each in everything.items() if each.has_profile(active)}
        off = {name: each for name, each in everything.items() if name not in on}
        return replace(self, services=on, disabled=off, profiles=active)

    def with_services_enabled(self, names: Iterable[str]) -> Self:
        """Naming a service activates its profiles."""
        asked = [name for name in names if name not in self.services]
        if not asked:
            return self
        more = [
            profile
            for name in asked
            if name in self.disabled
            for profile in self.disabled[name].get("profiles", [])
        ]
        return self.with_profiles((*self.profiles, *more))

    def selected(self, names: Iterable[str], *, with_dependencies: bool = True) -> Self:
        """Only the named services (patterns allowed) and what they need; all when none is named.

        Raises InvalidArgument for a name that is no service.
        """
        wanted = list(names)
        if not wanted:
            return self
        chosen = self._closure(wanted, with_dependencies=with_dependencies)
        kept = {
            name: _depending_only_on(chosen, service)
            for name, service in self.services.items()
            if name in chosen
        }
        rest = {name: each for name, each in self.services.items() if name not in chosen}
        return replace(self, services=kept, disabled={**self.disabled, **rest})

    def _closure(self, names: list[str], *, with_dependencies: bool) -> set[str]:
        chosen: set[str] = set()
        waiting = [(name, True) for name in names]
        while waiting:
            pattern, required = waiting.pop()
            matches = [name for name in self.services if fnmatchcase(name, pattern)]
            if not matches and required:
                raise InvalidArgument(f"no such service: {pattern}")
            for name in matches:
                if name not in chosen and with_dependencies:
                    needed = self.services[name].dependencies
                    waiting += [(each, needed[each].required) for each in needed]
                chosen.add(name)
        return chosen

    def without_unused_resources(self) -> Self:
        """Networks, volumes and the like that no active service uses are left out."""
        services = self.services.values()
        return replace(
            self,
            networks=_only(self.networks, (n for s in services for n in s.get("networks", {}))),
            volumes=_only(self.volumes, (v for s in services for v in _volumes_of(s))),
            secrets=_only(
                self.secrets, (each for s in self.with_contexts() for each in _secrets_of(s))
            ),
            configs=_only(
                self.configs, (each["source"] for s in services for each in s.get("configs", []))
            ),
            models=_only(self.models, (m for s in services for m in s.get("models", {}))),
        )

    def with_contexts(self) -> list[Service]:
        """The services, and those that they are built from, on or not."""
        found = dict(self.services)
        waiting = list(found.values())
        while waiting:
            for name in waiting.pop().built_from:
                if name not in found and (service := self.disabled.get(name)):
                    found[name] = service
                    waiting.append(service)
        return list(found.values())

    def dependents(self, name: str) -> dict[str, Dependency]:
        """Who depends on a service, and how."""
        return {
            other: needed[name]
            for other, service in self.services.items()
            if name in (needed := service.dependencies)
        }


def _depending_only_on(chosen: set[str], service: Service) -> Service:
    declared = service.get("depends_on")
    if not declared:
        return service
    kept = {name: each for name, each in declared.items() if name in chosen}
    return service.with_values(depends_on=kept)


def _only(resources: Mapping[str, Resource], names: Iterable[str]) -> dict[str, Resource]:
    used = set(names)
    return {name: each for name, each in resources.items() if name in used}


def _volumes_of(service: Service) -> list[str]:
    return [
        mount["source"]
        for mount in service.get("volumes", [])
        if mount.get("type") == "volume" and mount.get("source")
    ]


def _secrets_of(service: Service) -> list[str]:
    built = service.get("build", {}).get("secrets", [])
    return [each["source"] for each in (*service.get("secrets", []), *built)]
