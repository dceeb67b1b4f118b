"""A service's ``build``, in the words of ``knarr build``: its flags, its context, its secrets."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from io import BytesIO
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from knarr.cli.building.options import BuildOptions
from knarr.compose import labels
from knarr.compose.attributes.extra_hosts import entries
from knarr.compose.project import SERVICE_CONTEXT, Project, Service
from knarr.errors import InvalidArgument, KnarrError, Unsupported

if TYPE_CHECKING:
    from knarr.cli.building.context import Extras, Source
    from knarr.cli.cli import Cli

# The image is not what the file says where nobody knows the word.
_NEEDS_KNARR: Final = ("secrets", "ssh", "additional_contexts", "privileged", "entitlements")
# The image is the same without them.
_MISSED_BY_OTHERS: Final = ("cache_to", "no_cache_filter")
_INSECURE: Final = "security.insecure"


class Overrides(NamedTuple):
    """What the flags of ``build`` say over the file.

    ssh: more keys, ``default`` or ``ID=PATH``. memory: bytes.
    all_platforms: every one that the file names, in place of the one that is to run here.
    """

    args: Mapping[str, str | None] = {}
    no_cache: bool = False
    pull: bool = False
    quiet: bool = False
    memory: int = 0
    ssh: tuple[str, ...] = ()
    all_platforms: bool = False


class Section(NamedTuple):
    """What is to be built, as the file says and the flags."""

    project: Project
    service: Service
    image: str
    overrides: Overrides
    separator: str = "-"

    @property
    def declared(self) -> Mapping[str, Any]:
        declared: Mapping[str, Any] = self.service.get("build", {})
        return declared

    @property
    def place(self) -> str:
        """Where the file speaks of it, for errors."""
        return f"services.{self.service.name}.build"

    @contextmanager
    def blamed(self) -> Iterator[None]:
        """What is refused in the block is refused with the place that says it."""
        try:
            yield
        except KnarrError as error:
            raise type(error)(f"{self.place}: {error}") from error

    def missed(self) -> list[str]:
        """What an engine other than knarr's goes without. Raises Unsupported for what it needs."""
        for name in _NEEDS_KNARR:
            if self.declared.get(name):
                raise Unsupported(f"{self.place}.{name} needs knarr's own engine: this is another")
        if self.overrides.ssh:
            raise Unsupported("--ssh needs knarr's own engine: this is another")
        if "," in self.platform:
            raise Unsupported(f"{self.place}.platforms: several need knarr's own engine")
        return [f"{self.place}.{name}" for name in _MISSED_BY_OTHERS if self.declared.get(name)]

    def warnings(self) -> list[str]:
        """What no builder looks at: a step's own mount says whose a secret is there."""
        uses = self.declared.get("secrets", [])
        if not any(each.get(key) for each in uses for key in ("uid", "gid", "mode")):
            return []
        return [
            "secrets `uid`, `gid` and `mode` are not supported by BuildKit, they will be ignored"
        ]

    def source(self) -> Source:
        """Raises NotFound where there is no such folder, or no such Dockerfile."""
        from knarr.cli.building.context import find_context

        declared = self.declared
        context = declared.get("context", ".")
        inline = declared.get("dockerfile_inline")
        if inline is not None:
            return find_context(context, "-", BytesIO(inline.encode()))
        dockerfile = declared.get("dockerfile", "")
        if dockerfile and os.path.isabs(context):
            dockerfile = os.path.join(context, dockerfile)  # never one of the working directory
        return find_context(context, dockerfile, BytesIO())

    def extras(self, cli: Cli) -> Extras:
        """Secrets and folders that go along."""
        from knarr.cli.building.asking import extras_of

        return extras_of(self.options, cli)._replace(secrets=self._secrets())

    @property
    def platform(self) -> str:
        """One, several with commas, or none: the engine's. Raises InvalidArgument."""
        platforms = self.declared.get("platforms", [])
        wanted = self.service.get("platform")
        default = self.project.environment.get("DOCKER_DEFAULT_PLATFORM")
        if not wanted and default:
            wanted = default
            if platforms and wanted not in platforms:
                raise InvalidArgument(
                    f'service "{self.service.name}" build.platforms does not support value set by '
                    f"DOCKER_DEFAULT_PLATFORM: {wanted}"
                )
        if self.overrides.all_platforms and platforms:
            return ",".join(platforms)
        return wanted or (platforms[0] if len(platforms) == 1 else "")

    @property
    def options(self) -> BuildOptions:
        """The flags of ``knarr build`` that say the same."""
        declared, overrides = self.declared, self.overrides
        return BuildOptions(
            add_host=entries(declared.get("extra_hosts", {})),
            allow=self._allowed(),
            build_arg=self._args(),
            build_context=self._contexts(),
            cache_from=tuple(declared.get("cache_from", ())),
            cache_to=tuple(declared.get("cache_to", ())),
            isolation=declared.get("isolation", ""),
            label=tuple(f"{name}={value}" for name, value in declared.get("labels", {}).items()),
            memory=overrides.memory,
            network=declared.get("network") or "default",
            no_cache=overrides.no_cache or declared.get("no_cache", False),
            no_cache_filter=_words(declared.get("no_cache_filter", ())),
            platform=self.platform,
            provenance=_attested(declared.get("provenance")),
            pull=overrides.pull or declared.get("pull", False),
            sbom=_attested(declared.get("sbom")),
            shm_size=int(declared.get("shm_size", 0)),
            ssh=(*_keys(declared.get("ssh", {})), *overrides.ssh),
            tag=tuple(dict.fromkeys((*declared.get("tags", ()), self.image))),
            target=declared.get("target", ""),
            ulimit=_ulimits(declared),
        )

    def labels(self, *, knarr: bool) -> tuple[str, ...]:
        """What tells later whose image it is."""
        own = {
            labels.PROJECT: self.project.name,
            labels.SERVICE: self.service.name,
            labels.VERSION: labels.COMPOSE_VERSION,
            **({} if knarr else {labels.IMAGE_BUILDER: "classic"}),
        }
        return tuple(f"{name}={value}" for name, value in own.items())

    def _allowed(self) -> tuple[str, ...]:
        allowed = tuple(self.declared.get("entitlements", ()))
        return (*allowed, _INSECURE) if self.declared.get("privileged") else allowed

    def _args(self) -> tuple[str, ...]:
        """Bare names of ``--build-arg`` take their value from the project's environment."""
        given = {
            name: self.project.environment.get(name) if value is None else value
            for name, value in self.overrides.args.items()
        }
        args = {**self.declared.get("args", {}), **given}
        return tuple(name if value is None else f"{name}={value}" for name, value in args.items())

    def _contexts(self) -> tuple[str, ...]:
        """By name; that of another service is its image, as the engine has it."""
        from knarr.cli.building.layouts import HERE

        contexts = self.declared.get("additional_contexts", {})
        services = self.project.all_services
        found = []
        for name, value in contexts.items():
            place = value
            if value.startswith(SERVICE_CONTEXT):
                other = services[value.removeprefix(SERVICE_CONTEXT)]
                place = HERE + other.image_name(self.project.name, self.separator)
            found.append(f"{name}={place}")
        return tuple(found)

    def _secrets(self) -> dict[str, bytes]:
        from knarr.cli.building.secrets import check_name, secret_file

        found: dict[str, bytes] = {}
        for use in self.declared.get("secrets", []):
            name = use.get("target") or use["source"]
            check_name(name)
            resource = self.project.secrets[use["source"]]
            if resource.get("external"):
                raise Unsupported(f'the secret "{use["source"]}" is external: a build reads files '
                                  "and variables")  # fmt: skip
            variable = resource.get("environment")
            if variable is not None:
                if variable not in self.project.environment:
                    raise InvalidArgument(
                        f'environment variable "{variable}" required by secret "{use["source"]}" '
                        "is not set"
                    )
                value = self.project.environment[variable]
                found[name] = value.encode(errors="surrogateescape")
            elif resource.get("content") is not None:
                found[name] = str(resource["content"]).encode()
            else:
                found[name] = secret_file(resource["file"])
        return found


def _words(value: Any) -> tuple[str, ...]:
    """One word, or several."""
    return (value,) if isinstance(value, str) else tuple(value)


def _attested(value: Any) -> str:
    return "" if value is None else str(value).lower() if isinstance(value, bool) else str(value)


def _keys(declared: Mapping[str, str | None]) -> tuple[str, ...]:
    return tuple(f"{name}={path}" if path else name for name, path in sorted(declared.items()))


def _ulimits(declared: Mapping[str, Any]) -> tuple[dict[str, object], ...]:
    return tuple(
        {"Name": name, "Soft": limit["soft"], "Hard": limit["hard"]}
        if isinstance(limit, dict)
        else {"Name": name, "Soft": limit, "Hard": limit}
        for name, limit in sorted(declared.get("ulimits", {}).items())
    )
